//! What is kept, and how: a file that is replaced durably or read in time, a map that is bounded, a rate, a secret that is read. It knows
//! nothing of mail.
//!
//! | file | answers for |
//! |---|---|
//! | [`chain`] | lines of a ledger, each bound to the one before, so that a change is found |
//! | `file` | [`NewFile`], [`rename`], [`sync_dir`]: each durable when it returns |
//! | [`gcra`] | [`gcra::Rate`]: so many at once, and so many more in a time |
//! | [`language`] | the languages in which people are spoken to |
//! | `ledger` | [`Ledger`]: lines that are added, each whole and durable |
//! | `map` | [`BoundedMap`]: never more than so many entries |
//! | `read` | [`read()`]: a whole file, bounded, and not waited for longer than a few seconds |
//! | [`secret`] | files that nobody else may read |
//! | [`size`] | sizes as people write them: `2G`, `500M` |
//! | [`tally`] | what the process counts of itself |
//! | [`text`] | texts for people: nothing in them that misleads, columns, large numbers |

pub mod chain;
mod file;
pub mod gcra;
pub mod language;
mod ledger;
mod map;
pub mod read;
pub mod secret;
pub mod size;
pub mod tally;
pub mod text;

pub use file::{KeepError, NewFile, Owner, rename, sync_dir};
pub use language::Language;
pub use ledger::{Ledger, Room};
pub use map::BoundedMap;
pub use read::{Accepts, in_time, is_stalled, read};
