//! What others say of a client or a domain: lists in DNS (RFC 5782) and SPF (RFC 7208), as facts for the guard.
//!
//! Answers for: that only what a list declares is a listing, that a list which is dead, refuses us or lists everybody weighs
//! nothing, and that what could not be found out is never held against anybody. Does not answer for: what a listing or an SPF
//! result comes to (the guard weighs them), nor for asking DNS itself (`dns`).
//!
//! | file | answers for |
//! |---|---|
//! | `question` | under which names lists are asked |
//! | `standing` | the test points of a list, and what they say of it |
//! | `breaker` | whether a list suddenly lists far more than it used to |
//! | `amends` | whom a list has listed lately, and who passes because it should not have |
//! | `list` | one list: its settings, and all of the above |
//! | `lists` | all lists of the configuration, asked at once |
//! | `published` | DMARC and MTA-STS records, for whoever looks at a domain |
//! | `spf` | SPF: whose record holds for a mail, and what it says of the client |

mod amends;
mod breaker;
mod list;
mod lists;
pub mod published;
mod question;
pub mod spf;
mod standing;

pub use list::ListStatus;
pub use lists::Lists;
pub use question::{by_address, by_domain};
pub use spf::{Identity, Spf, SpfQuestion};
pub use standing::{Family, Fault, Points, Standing, judged, odd};

use std::sync::Arc;

use dns::Resolver;

/// What others say. One for the whole program: what is known of a list outlives a reload.
#[derive(Debug)]
pub struct Reputation {
    /// Lists in DNS.
    pub lists: Lists,
    /// SPF; `None`: there are no name servers.
    pub spf: Option<Spf>,
}

impl Reputation {
    /// Asks by this resolver; `None`: nothing is ever found out. There are no lists until [`Lists::follow`].
    pub fn new(dns: Option<&Arc<Resolver>>) -> Self {
        Self { lists: Lists::new(dns.map(Arc::clone)), spf: dns.map(Spf::new) }
    }
}
