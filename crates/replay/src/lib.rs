//! Decisions again: recorded ones judged by another policy, and sessions that are only imagined.
//!
//! Whatever comes of it permits nothing: evidence is attested here for judgements that nobody acts on, so only words leave this
//! crate ([`Came`]). A verdict, and the proof in it, ends where it is read.
//! ```compile_fail,E0603
//! use replay::again::again;
//! ```
//!
//! | file | answers for |
//! |---|---|
//! | `values` | its facts as values, attested for this alone |
//! | `subject` | a recorded case, as it was or as it is supposed |
//! | `known` | what is known of a recorded case to who judges it again |
//! | `again` | judging it again |
//! | `came` | what that comes to, in words |
//! | `supposed` | what may be supposed of a refused case |
//! | `what_if` | which of that would have it accepted |
//! | `imagine` | a session that nobody had, at the running server |
//! | `compare` | many of them, and what changes |

mod again;
mod came;
mod compare;
mod imagine;
mod known;
mod subject;
mod supposed;
mod values;
mod what_if;

pub use again::{Again, judged};
pub use came::{Came, Refused};
pub use compare::{Change, Changed, Comparison};
pub use imagine::{Explained, Imagined, Security, imagined};
pub use known::{By, Unknowns};
pub use subject::{Subject, Unjudged};
pub use what_if::{accepted_by, accepted_if};
