//! The digest of what was decided, for people; and the statement that a list or a complainant asks for. Both are made of the kept records
//! and of nothing else, in one pass and in bounded memory.
//!
//! | file | answers for |
//! |---|---|
//! | [`digest`] | [`Digest`]: what the records of a time come to |
//! | `waits` | who was greylisted, and who of them came back |
//! | [`turned_away`] | whom our own faults turned away |
//! | `tally` | so many of each, bounded |
//! | [`abuse`] | [`Abuse`]: what one login, device or client sent, and since when it is stopped |
//! | [`cause`] | [`Cause`]: whether the cause of a listing still stands |
//! | `standing` | whether somebody who sent is refused since |
//! | [`gaps`] | [`Gaps`]: decisions that the records do not have |
//! | `mail` | the same as a mail |
//! | [`page`] | [`Page`]: titles, sentences and tables in one language, as text, HTML or mail |
//! | `words` | how the digest says what it found |
//! | `statement` | how the statement says it |

pub mod abuse;
pub mod cause;
pub mod digest;
pub mod gaps;
mod mail;
pub mod page;
mod standing;
mod statement;
mod tally;
pub mod turned_away;
mod waits;
mod words;

pub use abuse::{Abuse, Subject};
pub use cause::{Cause, Listed, Tracing};
pub use digest::{Danger, Digest, Digesting, Wrong};
pub use gaps::Gaps;
pub use page::{Page, Section};
pub use standing::Stopped;
