//! What is kept, and how: a file that is replaced durably or read in time, a map that is bounded, a rate, a secret that is read. It knows
//! nothing of mail.
//!
//! | file | answers for |
//! |---|---|
//! | `file` | [`NewFile`], [`rename`], [`sync_dir`]: each durable when it returns |
//! | [`gcra`] | [`gcra::Rate`]: so many at once, and so many more in a time |
//! | `ledger` | [`Ledger`]: lines that are added, each whole and durable |
//! | `map` | [`BoundedMap`]: never more than so many entries |
//! | `read` | [`read()`]: a whole file, bounded, and not waited for longer than a few seconds |
//! | [`secret`] | files that nobody else may read |

mod file;
pub mod gcra;
mod ledger;
mod map;
pub mod read;
pub mod secret;

pub use file::{KeepError, NewFile, Owner, rename, sync_dir};
pub use ledger::Ledger;
pub use map::BoundedMap;
pub use read::{Accepts, in_time, is_stalled, read};
