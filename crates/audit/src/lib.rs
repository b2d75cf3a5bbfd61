//! Who may relay, by what right: the exact set, computed from the configuration and the state, and the dangers in it.
//!
//! | file | answers for |
//! |---|---|
//! | `addresses` | sets of addresses, as the fewest networks |
//! | `set` | who may relay, as a value, and the question whether somebody may |
//! | `text` | texts in both languages, and places in files |
//! | `rows` | the set as it is listed, with the last use of each right |
//! | `danger` | what is dangerous, doubtful or good to know: one place for each |
//! | `report` | all of it |
//! | `published` | what DNS says of our domains and of relaying addresses |
//! | `gather` | what a report is made of |
//! | `show` | the report for people |

pub mod addresses;
pub mod danger;
pub mod gather;
mod published;
pub mod report;
pub mod rows;
pub mod set;
pub mod show;
pub mod text;

pub use addresses::Addresses;
pub use danger::{Finding, Level};
pub use gather::{AskDns, of_file, running};
pub use report::Report;
pub use set::{Answer, Asked, By, Door, Given, Set, WhyNot};
