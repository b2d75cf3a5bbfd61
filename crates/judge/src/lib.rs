//! One brain for every interface. SMTP, policy delegation, milter and socketmap ask here, logins are checked here, and what tells
//! of logins elsewhere is recorded here; so all share one set of counters.
//!
//! | file | answers for |
//! |---|---|
//! | `sources` | what is asked: accounts, evidence, names |
//! | `terms` | by what is judged: one configuration |
//! | `case` | what is known of a connection, over its commands |
//! | `bench` | by what a case is judged |
//! | `judging` | drives a case through the guard |
//! | `gather`, `facts`, `client_name`, `reputation` | what the guard must know, looked up at once with one deadline |
//! | `looking` | the same without touching anything |
//! | `greylist` | whether a stranger came back |
//! | `ahead`, `next_hops` | whether the next hop of a relay domain has a recipient, and the way to whoever asks it |
//! | `lock` | whether relaying is locked down, kept over restarts |
//! | `harvest` | how many recipients that nobody is a client may try |
//! | `identity`, `trust` | whether an address that is trusted by itself is still one site's |
//! | `hosts` | who may connect by a listener's own lists |
//! | `offence`, `ban` | what brings a client a ban, and whether it is in force |
//! | `files` | work on mailboxes, which may hang |
//! | `forwards` | how much aliases send on for strangers |
//! | `reserve`, `quota` | what it wants counted |
//! | `report`, `reply`, `records` | what is told of a decision, and to whom |
//! | `relayed` | the line that each message leaves that is relayed |
//! | `tables` | access maps |
//! | `auth`, `failed`, `login_end` | logins, what is told of those that fail, and how many came to what |
//! | `evidence`, `outside` | logins that count for relaying, and who may tell of them |
//! | `gateways` | addresses behind which anybody may be |
//! | `uses` | when each right to relay was last used |
//! | `session` | the id in the log |

pub mod ahead;
pub mod auth;
pub mod ban;
pub mod bench;
pub mod case;
pub mod client_name;
mod denial;
pub mod evidence;
pub mod facts;
mod failed;
pub mod files;
mod forwards;
pub mod gateways;
mod gather;
mod greylist;
mod harvest;
pub mod hosts;
pub mod identity;
pub mod judging;
pub mod lock;
mod login_end;
pub mod looking;
pub mod next_hops;
pub mod offence;
pub mod outside;
pub mod quota;
pub mod records;
pub mod relayed;
mod reply;
mod report;
mod reputation;
pub mod reserve;
pub mod session;
pub mod sources;
pub mod tables;
pub mod terms;
mod trust;
pub mod uses;

pub use bench::Judge;
pub use case::{Case, Connected, Login, Told};
pub use files::Files;
pub use judging::Decision;
pub use report::{Beside, SentAway};
pub use reserve::Places;
pub use session::{SessionId, SessionIds};
pub use sources::Sources;
pub use terms::{Terms, TermsError, exempted};

#[cfg(test)]
mod tests;
