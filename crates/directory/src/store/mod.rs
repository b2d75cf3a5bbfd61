//! The database: what is kept in it, and what it can be asked, whichever it is. All SQL stands with the engine that speaks
//! it.
//!
//! | file | what |
//! |---|---|
//! | `rows` | what is kept, as it is written and read |
//! | `sqlite` | SQLite, a file of our own |

mod rows;
mod sqlite;

pub use rows::Rotated;
pub(crate) use rows::{
    AccountRow, AliasRow, CatchAll, Changed, ChoicesRow, DeviceRow, LoginChanges, LoginRow, NewAliasRow, NewDeviceRow,
    NewDomain, OwnCopy, Secrets, Which,
};
pub(crate) use sqlite::{Changes, Store, apart};
