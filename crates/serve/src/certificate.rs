//! The certificate's end and its names: told to the operator before clients find out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::Settings;
use jiff::Timestamp;
use listen::Certificate;
use tokio::sync::watch;
use tracing::warn;

use crate::border::Border;
use crate::site::Site;

/// How long before its end a certificate is worth a word: who renews by a program does it a month before.
const EXPIRING: Duration = Duration::from_hours(14 * 24);
/// Between two words on it.
const DAILY: Duration = Duration::from_hours(24);

/// What is wrong with a certificate that can be shown. None of it keeps the server from its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its time is over.
    Expired(SystemTime),
    /// Its time has not begun.
    Early(SystemTime),
    /// Its time is over soon.
    Expiring(SystemTime),
    /// It is not for the server's name.
    Misnamed,
}

/// All that is wrong with it now.
pub fn faults(certificate: &Certificate, hostname: &str, now: SystemTime) -> Vec<Fault> {
    let Certificate { not_before, not_after, .. } = *certificate;
    let time = if now > not_after {
        Some(Fault::Expired(not_after))
    } else if now < not_before {
        Some(Fault::Early(not_before))
    } else if is_ending(certificate, now) {
        Some(Fault::Expiring(not_after))
    } else {
        None
    };
    let name = (!certificate.is_for(hostname)).then_some(Fault::Misnamed);
    time.into_iter().chain(name).collect()
}

/// Whether its end is near. One that holds for a few weeks only is renewed later than others.
pub fn is_ending(certificate: &Certificate, now: SystemTime) -> bool {
    let life = certificate.not_after.duration_since(certificate.not_before).unwrap_or_default();
    now + EXPIRING.min(life / 4) > certificate.not_after
}

impl Fault {
    /// In a sentence about this file.
    pub fn told(&self, settings: &Settings) -> String {
        let file = settings.tls.as_ref().map_or_else(String::new, |tls| tls.certificate.display().to_string());
        match self {
            Self::Expired(end) => format!("{file}: the certificate expired at {}: renew it", at(*end)),
            Self::Early(begin) => {
                format!("{file}: the certificate does not hold before {}: look at the clock", at(*begin))
            }
            Self::Expiring(end) => format!("{file}: the certificate expires at {}: renew it", at(*end)),
            Self::Misnamed => format!(
                "{file}: the certificate is not for the name {}: clients that check it refuse it",
                settings.hostname
            ),
        }
    }
}

/// As the log and the admin API write times.
pub fn at(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| "a time out of all calendars".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// Tells of it now.
pub(crate) fn tell(site: &Site) {
    let (settings, Some(certificate)) = (&site.settings, site.certificate()) else { return };
    let Some(tls) = &settings.tls else { return };
    let file = tls.certificate.display();
    for fault in faults(&certificate, &settings.hostname, SystemTime::now()) {
        match fault {
            Fault::Expired(until) | Fault::Early(until) => {
                warn!(certificate = %file, until = at(until), note = "it is outside of its time; clients that check it refuse it", "certificate expired");
            }
            Fault::Expiring(until) => {
                warn!(certificate = %file, until = at(until), note = "renew it, then: sekisho reload", "certificate expiring");
            }
            Fault::Misnamed => {
                warn!(certificate = %file, hostname = settings.hostname, note = "it is not for this name; clients that check it refuse it", "certificate misnamed");
            }
        }
    }
}

/// Tells of it each day until the end.
pub(crate) async fn follow(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    loop {
        tell(&border.site.load());
        tokio::select! {
            _ = stop.wait_for(|is| *is) => return,
            () = tokio::time::sleep(DAILY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        listen::tls::ensure_self_signed(&file, &key, &["mail.example.test".to_owned()]).unwrap();
        let shown = listen::tls::server_config(&file, &key, keep::secret::Permissions::Owner).unwrap();
        let certificate = shown.certificate().unwrap();
        let (begin, end) = (certificate.not_before, certificate.not_after);
        let day = Duration::from_hours(24);
        let name = "mail.example.test";
        for (now, expected) in [
            (begin, vec![]),
            (end - 15 * day, vec![]),
            (end - 13 * day, vec![Fault::Expiring(end)]),
            (end + day, vec![Fault::Expired(end)]),
            (begin - day, vec![Fault::Early(begin)]),
        ] {
            assert_eq!(faults(&certificate, name, now), expected);
        }
        assert_eq!(faults(&certificate, "mx.example.test", begin), [Fault::Misnamed]);
    }
}
