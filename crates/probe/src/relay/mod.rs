//! Whether a mail server relays for strangers: every relay probe of `data/relay-probes.json`, one after the other, over one
//! connection each.
//!
//! A recipient that a server accepts is not yet relayed: many accept first and refuse later, and some accept what they then
//! deliver to themselves. So a server is called open only by a mail that arrived in a mailbox elsewhere, the sink; without one
//! an accepted recipient is a doubt, and nothing is sent.
//!
//! | file | answers for |
//! |---|---|
//! | `catalog` | the probes as data, the classic nineteen first |
//! | `fill` | what stands in the place of the placeholders |
//! | `wire` | a connection with bounds: a hostile server holds up nobody for long |
//! | `outcome` | what a probe, and all of them, come to |
//! | `mail` | the mail that goes to the sink |
//! | `talk` | plays one probe |
//! | `sink` | looks for the mails that arrived |
//! | `run` | plays all, against a host that may be probed |
//! | `words`, `print` | the report for people |

mod catalog;
mod fill;
mod mail;
mod outcome;
mod print;
mod run;
mod sink;
mod talk;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub use catalog::{CLASSIC, Charset, Kind, Mark, Need, Probe, Replies, Step, probes};
pub use fill::Values;
pub use mail::Token;
pub use outcome::{Counts, Exchange, Outcome, Played, Verdict};
pub use run::{Plan, Report, RunError, Sink, run};
