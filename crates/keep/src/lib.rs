//! What is kept, and how: a file that is replaced durably, a map that is bounded. It knows nothing of mail.
//!
//! | file | answers for |
//! |---|---|
//! | `file` | [`NewFile`], [`rename`], [`sync_dir`]: each durable when it returns |
//! | `map` | [`BoundedMap`]: never more than so many entries |

mod file;
mod map;

pub use file::{KeepError, NewFile, Owner, rename, sync_dir};
pub use map::BoundedMap;
