//! Decision records on disk: what the guard decided, kept for a set time and size outside of the mail's path, and found again.
//!
//! A record that is not written yet is lost with the process: at most the last second. No mail waits for one; what the disk does
//! not take is dropped, counted and told.
//!
//! | file | answers for |
//! |---|---|
//! | [`kept`] | a record as it is read back |
//! | [`store`] | [`Store`]: the thread that writes |
//! | `disk` | segments on disk: the one that is written, sealing it, retention |
//! | [`read`] | [`Reader`]: searching, and all since a time in their order; without a server too |
//! | [`search`] | [`Search`]: what is looked for, and whether a record is it |
//! | `keys` | by what a record is found |
//! | `filter` | which keys a segment can have |
//! | `frame` | the form of a segment |
//! | `segment` | names of segments, and the index beside a sealed one |
//! | [`redact`] | what of personal data is not kept |
//! | [`explain`] | a record for people |

mod disk;
pub mod explain;
mod filter;
mod frame;
pub mod kept;
mod keys;
pub mod read;
pub mod redact;
pub mod search;
mod segment;
pub mod store;

pub use kept::Kept;
pub use read::{Found, OfId, ReadError, Reader, Since};
pub use redact::Redact;
pub use search::{Search, Whose};
pub use store::{Settings, Source, Status, Store};
