//! The brain: facts go in, a verdict and its trace come out. No I/O and no clock of its own.
//!
//! Two laws. *Authorization fails closed*: relaying needs a [`RelayGrant`], which only [`authority`] makes, and
//! whatever is unknown gives none. *Suspicion fails open*: what cannot be checked weighs nothing (rules come later).
//!
//! | file | answers for |
//! |---|---|
//! | `fact` | what is known, and *unknown* as an answer of its own |
//! | `policy` | who may relay as the operator wrote it, and the dangers for which it does not start |
//! | `authority` | the makers of grants: SMTP AUTH, network, client map, POP login, and the relay domains |
//! | `hosting` | who answers for a recipient here, and the proof of it |
//! | `relay` | the judgement at MAIL and at RCPT |
//! | `never_granted` | addresses that no login elsewhere makes anybody's |
//! | `rules` | what entries of access maps take away |
//! | `verdict` | what a judgement says |
//! | `trace` | how it came about |

pub mod authority;
pub mod fact;
pub mod hosting;
pub mod ip;
pub mod never_granted;
pub mod policy;
pub mod relay;
pub mod rules;
pub mod trace;
pub mod verdict;

pub use authority::{
    AddressJudgement, AddressRight, ChargeKey, ConfirmedName, Device, Login, PopEvidence, PopSource, RecipientScope,
    RelayGrant, Right, Subject, judge_address,
};
pub use fact::{Charge, Fact, Fault, MailFacts, RcptFacts};
pub use hosting::{HostedPath, Hosting};
pub use ip::{canonical_ip, cut_ipv6};
pub use policy::{ConfigLine, Danger, DracSenders, RelayPolicy, RelayPolicySpec, SenderPattern};
pub use relay::{judge_mail, judge_rcpt};
pub use rules::{RuleVerdict, judge_rules};
pub use trace::{ExplainId, Trace};
pub use verdict::{MailJudgement, Need, RcptJudgement, Reason, Recipient, Refusal};
