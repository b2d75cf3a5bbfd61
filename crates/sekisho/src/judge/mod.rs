//! One brain for every interface. SMTP, policy delegation, milter and socketmap ask here, logins are checked here, and what tells
//! of logins elsewhere is recorded here; so all share one set of counters.
//!
//! | file | answers for |
//! |---|---|
//! | `sources` | what is asked: accounts, evidence, names |
//! | `terms` | by what is judged: one configuration |
//! | `party` | who asks to send, and what the guard says to it |
//! | `facts`, `client_name` | what the guard must know, looked up with a deadline |
//! | `tables` | access maps |
//! | `reply` | the words of a refusal |
//! | `auth` | logins |
//! | `evidence`, `outside` | logins that count for relaying, and who may tell of them |
//! | `gateways` | addresses behind which anybody may be |
//! | `session` | the id in the log |

pub mod auth;
pub mod client_name;
pub mod evidence;
pub mod facts;
pub mod gateways;
pub mod outside;
pub mod party;
pub mod reply;

pub mod session;
pub mod sources;
pub mod tables;
pub mod terms;

pub use party::{AskedRcpt, Effects, Ledger, Party, Refused, Standing};
pub use session::{SessionId, SessionIds};
pub use sources::Sources;
pub use terms::{Terms, TermsError};
