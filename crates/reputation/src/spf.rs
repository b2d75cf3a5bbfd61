//! SPF (RFC 7208), by the library behind one function of ours, with a deadline.
//!
//! What the library leaves to its caller stands here: which identity is checked, that a domain has exactly one record, and that
//! DNS which does not answer is "temperror", never "fail".

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dns::{Answer, Resolver};
use guard::SpfResult;
use mail_auth::MessageAuthenticator;
use mail_auth::spf::verify::SpfParameters;
use smtp::{Host, ReversePath};

/// Longest wait for a result; below what a stage of a judgement waits for all it must know. The library takes slow DNS for a fault of
/// the record after twenty seconds, which it never has.
const WAIT_MAX: Duration = Duration::from_secs(4);
/// Longest label of a name (RFC 1035 §2.3.4).
const LABEL_OCTETS_MAX: usize = 63;
/// Longest name.
const NAME_OCTETS_MAX: usize = 253;
/// What every record begins with (RFC 7208 §4.5).
const VERSION: &[u8] = b"v=spf1";

/// Checks SPF.
pub struct Spf {
    dns: Arc<Resolver>,
    library: MessageAuthenticator,
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
    /// Our own name.
    pub hostname: &'q str,
}

/// One identity (RFC 7208 §2.3, §2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    /// With a local part, `postmaster` where it has none.
    sender: String,
    domain: String,
}

impl fmt::Debug for Spf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spf").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Spf {
    pub(crate) fn new(dns: &Arc<Resolver>) -> Self {
        let wait = dns.timeout().min(WAIT_MAX);
        Self { dns: Arc::clone(dns), library: MessageAuthenticator(dns.for_library()), wait }
    }

    /// What SPF says of the reverse-path, or of the greeting name where that is null.
    pub async fn check(&self, question: &SpfQuestion<'_>) -> SpfResult {
        let Some(identity) = identity(question) else { return SpfResult::None };
        let evaluated = Box::pin(self.evaluate(question, &identity));
        // Late is not found out (RFC 7208 §4.6.4).
        tokio::time::timeout(self.wait, evaluated).await.unwrap_or(SpfResult::TempError)
    }

    async fn evaluate(&self, question: &SpfQuestion<'_>, identity: &Identity) -> SpfResult {
        if let Err(result) = self.record(&identity.domain).await {
            return result;
        }
        let helo = question.helo.unwrap_or(&identity.domain);
        let client = question.client.to_canonical();
        let asked = SpfParameters::verify_mail_from(client, helo, question.hostname, &identity.sender);
        meant(self.library.verify_spf(asked).await.result())
    }

    /// Whether the domain has one record (RFC 7208 §4.5). The library takes the first of several that it can read.
    async fn record(&self, domain: &str) -> Result<(), SpfResult> {
        match self.dns.texts(domain).await {
            Answer::Failed(_) => Err(SpfResult::TempError),
            Answer::None => Err(SpfResult::None),
            Answer::Found(texts) => match texts.iter().filter(|text| is_record(text)).count() {
                0 => Err(SpfResult::None),
                1 => Ok(()),
                _ => Err(SpfResult::PermError),
            },
        }
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
            let local = match mailbox.local_part.as_str() {
                "" => "postmaster",
                local => local,
            };
            Identity { sender: format!("{local}@{domain}"), domain: domain.as_str().to_owned() }
        }
    };
    is_name(&identity.domain).then_some(identity)
}

/// A fully qualified name that DNS can be asked for.
fn is_name(domain: &str) -> bool {
    let label = |label: &str| (1..=LABEL_OCTETS_MAX).contains(&label.len());
    domain.len() <= NAME_OCTETS_MAX && domain.contains('.') && !domain.starts_with('[') && domain.split('.').all(label)
}

fn is_record(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(VERSION.len()) else { return false };
    version.eq_ignore_ascii_case(VERSION) && matches!(rest.first(), None | Some(b' '))
}

fn meant(result: mail_auth::SpfResult) -> SpfResult {
    match result {
        mail_auth::SpfResult::Pass => SpfResult::Pass,
        mail_auth::SpfResult::Fail => SpfResult::Fail,
        mail_auth::SpfResult::SoftFail => SpfResult::SoftFail,
        mail_auth::SpfResult::Neutral => SpfResult::Neutral,
        mail_auth::SpfResult::TempError => SpfResult::TempError,
        mail_auth::SpfResult::PermError => SpfResult::PermError,
        mail_auth::SpfResult::None => SpfResult::None,
    }
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
            let found = identity(&SpfQuestion { client, helo, reverse_path: &reverse_path, hostname: "mail.example" });
            let expected = expected.map(|(sender, domain)| Identity { sender: sender.into(), domain: domain.into() });
            assert_eq!(found, expected, "{path} {helo:?}");
        }
    }

    #[test]
    fn what_a_record_is() {
        for (text, expected) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf10", false),
            ("v=spf1-all", false),
            ("v=spf", false),
            ("spf2.0/pra -all", false),
            ("", false),
        ] {
            assert_eq!(is_record(text.as_bytes()), expected, "{text}");
        }
    }
}
