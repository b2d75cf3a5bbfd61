//! SPF (RFC 7208), evaluated here over the program's own resolver, with a deadline.
//!
//! The library that did so before, mail-auth 0.13, gave 50 of the 203 cases of the published suite another result than the suite has,
//! some of them a pass (a client of IPv4 was within networks of IPv6, a record with a mistake was read as far as it went); who is let
//! through for a pass needs one that is true.
//!
//! Answers for: which identity is checked, that a mistake anywhere in a record is "permerror" before anything is asked, that DNS which
//! does not answer is "temperror" and never "fail", and that a check is bounded in octets, look-ups and time. Does not answer for:
//! explanations (`exp` is read and changes nothing, since no reply tells one).
//!
//! | file | answers for |
//! |---|---|
//! | `name` | what DNS can be asked for |
//! | `macros` | strings with macros: read, and expanded |
//! | `record` | a record: read whole or not at all |
//! | `limits` | what one check may cost |
//! | `evaluate` | `check_host`: which record holds, and what its terms come to |
//! | `examine` | a domain's record without a client: what is wrong with it, and what it costs whoever checks it |

mod evaluate;
mod examine;
mod limits;
mod macros;
mod name;
mod record;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dns::Resolver;
use guard::SpfResult;
use smtp::{Host, ReversePath};

pub use examine::{Examined, SpfFault, examine};
pub use record::is_record;

use evaluate::Check;
use name::is_name;

/// Longest wait for a result (RFC 7208 §4.6.4 wants 20 s at least); below what a stage of a judgement waits for all it must know.
const WAIT_MAX: Duration = Duration::from_secs(4);

/// Checks SPF.
#[derive(Debug)]
pub struct Spf {
    dns: Arc<Resolver>,
    wait: Duration,
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub struct SpfQuestion<'q> {
    /// The client.
    pub client: IpAddr,
    /// What it calls itself.
    pub helo: Option<&'q str>,
    /// Whose the mail says it is.
    pub reverse_path: &'q ReversePath,
}

/// One identity (RFC 7208 §2.3, §2.4), as `check_host` takes it (§4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose record is asked for first.
    pub domain: String,
    /// Local part and domain; `postmaster` stands for a local part that is empty.
    pub sender: String,
}

impl Spf {
    pub(crate) fn new(dns: &Arc<Resolver>) -> Self {
        Self { dns: Arc::clone(dns), wait: dns.timeout().min(WAIT_MAX) }
    }

    /// What SPF says of the reverse-path, or of the greeting name where that is null.
    pub async fn check(&self, question: &SpfQuestion<'_>) -> SpfResult {
        let Some(identity) = identity(question) else { return SpfResult::None };
        self.check_host(question.client, question.helo.unwrap_or(&identity.domain), &identity).await
    }

    /// What SPF says of an identity, for who has no path of SMTP (RFC 7208 §4.1).
    pub async fn check_host(&self, client: IpAddr, helo: &str, identity: &Identity) -> SpfResult {
        let check = Check::new(&self.dns, client, helo, &identity.sender);
        // Late is not found out (RFC 7208 §4.6.4).
        let result = tokio::time::timeout(self.wait, Box::pin(check.result(&identity.domain))).await;
        result.unwrap_or(SpfResult::TempError)
    }
}

/// Which identity is checked; `None`: there is none that SPF could say anything of (RFC 7208 §4.3).
fn identity(question: &SpfQuestion<'_>) -> Option<Identity> {
    let identity = match question.reverse_path {
        ReversePath::Null => {
            let domain = question.helo?.trim_end_matches('.').to_ascii_lowercase();
            Identity { sender: format!("postmaster@{domain}"), domain }
        }
        ReversePath::Mailbox(mailbox) => {
            let Host::Domain(domain) = &mailbox.host else { return None };
            let sender = format!("{}@{domain}", mailbox.local_part.as_str());
            Identity { sender, domain: domain.as_str().to_owned() }
        }
    };
    is_name(&identity.domain).then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_name_is_asked_for_where_nobody_sends() {
        let table = [
            ("<Alice@D.example>", Some("mx.example"), Some(("Alice@d.example", "d.example"))),
            ("<>", Some("MX.example"), Some(("postmaster@mx.example", "mx.example"))),
            ("<>", Some("mx.example."), Some(("postmaster@mx.example", "mx.example"))),
            ("<>", Some("[192.0.2.1]"), None),
            ("<>", Some("localhost"), None),
            ("<>", Some("a..example"), None),
            ("<>", None, None),
            ("<a@[192.0.2.1]>", Some("mx.example"), None),
        ];
        for (path, helo, expected) in table {
            let reverse_path = ReversePath::parse(path).unwrap();
            let client = "192.0.2.1".parse().unwrap();
            let found = identity(&SpfQuestion { client, helo, reverse_path: &reverse_path });
            let expected = expected.map(|(sender, domain)| Identity { sender: sender.into(), domain: domain.into() });
            assert_eq!(found, expected, "{path} {helo:?}");
        }
    }
}
