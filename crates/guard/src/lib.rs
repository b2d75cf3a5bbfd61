//! The brain: facts go in, a verdict and its record come out. No I/O and no clock of its own.
//!
//! Two laws. *Authorization fails closed*: relaying needs a [`RelayGrant`], which only [`authority`] makes, and
//! whatever is unknown gives none. *Suspicion fails open*: what cannot be checked weighs nothing.
//!
//! | file | answers for |
//! |---|---|
//! | `fact` | what is known, and *unknown* as an answer of its own |
//! | `attested` | what is believed because somebody vouched for it: logins, POP logins, names |
//! | `reputation` | what DNS lists and SPF say, as values |
//! | `facts` | the table of facts, how long each counts, and what is known |
//! | `policy` | who may relay as the operator wrote it, and the dangers for which it does not start |
//! | `standing` | what is found out about a stranger: names, the sender's domain, whether it waited |
//! | `origin` | where a client is: country and autonomous system |
//! | `suspicion` | what is held against strangers: rules, weights, score |
//! | `rule` | rules: conditions, actions, weights, modes |
//! | `charge` | what is counted for a mail |
//! | `hearing` | what a step of a judgement sees |
//! | `authority` | the makers of grants: SMTP AUTH, network, client map, POP login, and the relay domains |
//! | `choice` | whose mail the owner of a recipient takes |
//! | `hosting` | who answers for a recipient here, and the proof of it |
//! | `load` | how full the server is |
//! | `never_granted` | addresses that no login elsewhere makes anybody's |
//! | `case` | a connection, its greeting and login, its transaction |
//! | `command` | one command while it is judged |
//! | `judge` | the one question, by stage |
//! | `verdict`, `effects`, `reason` | what a judgement says |
//! | `trace` | how it came about |
//! | `record`, `serial` | all of it, to be kept |
//! | `circumstances` | what else it depended on, so that it can be judged again |

pub mod attested;
pub mod authority;
pub mod case;
pub mod charge;
pub mod choice;
pub mod circumstances;
pub mod command;
pub mod effects;
pub mod explain;
pub mod fact;
pub mod facts;
mod hearing;
pub mod hosting;
pub mod ip;
pub mod judge;
pub mod line;
pub mod load;
pub mod never_granted;
pub mod origin;
pub mod policy;
pub mod reason;
pub mod record;
pub mod reputation;
pub mod rule;
mod serial;
pub mod standing;
pub mod suspicion;
pub mod trace;
pub mod verdict;

pub use attested::{ConfirmedName, Device, Login, PopEvidence, PopSource, RecipientScope, Subject};
pub use authority::{AddressRight, RelayGrant, Right};
pub use case::{Case, Claim, Depth, Manner, Manners, Relaying};
pub use charge::{Charge, Charged, DeviceCharge, PopCharge, QuotaCharge};
pub use choice::{Choice, Proof};
pub use circumstances::Circumstances;
pub use command::{Arrived, AskedRcpt, Command, Reserved, Stage};
pub use effects::Effects;
pub use explain::ExplainId;
pub use fact::{Fact, Fault};
pub use facts::{FactName, Found, Gathered, Need, Of, Stamp, Value};
pub use hosting::{HopAnswer, HostedPath, Hosting};
pub use ip::{canonical_ip, cut_ipv6, is_public, network_around};
pub use judge::{AddressJudgement, Judged, judge, judge_address};
pub use line::ConfigLine;
pub use load::Load;
pub use origin::{Country, Origin};
pub use policy::{Danger, DracSenders, Policy, RelayPolicy, RelayPolicySpec, SenderPattern};
pub use reason::Reason;
pub use record::{Decided, Record};
pub use reputation::{Listing, SpfResult};
pub use rule::Part;
pub use standing::{Greylist, PtrName, SenderDomain};
pub use suspicion::Suspicion;
pub use trace::Trace;
pub use verdict::{Detail, Outcome, Recipient, Refusal, Verdict};
