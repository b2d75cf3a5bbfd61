//! People and aliases as a table: CSV (RFC 4180) in UTF-8 with a header row, as spreadsheets read and write it. Read here, and written
//! so that what is written reads the same; what a row does is the admin API's.
//!
//! | file | what |
//! |---|---|
//! | `sheet` | rows of named columns, and what is wrong with them |
//! | `users` | accounts |
//! | `aliases` | addresses that lead to others |

pub mod aliases;
mod sheet;
pub mod users;

pub use sheet::{Mistake, Mistakes, OCTETS_MAX, Placed, told};
