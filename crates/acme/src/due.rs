//! When it is time: for a certificate, and after a failure.

use std::time::{Duration, SystemTime};

use listen::Certificate;

/// After the first failure in a row.
const AWAY_FIRST: Duration = Duration::from_secs(5);
/// The same where the authority was asked and refused: it counts how often (Let's Encrypt: five in an hour).
const REFUSED_FIRST: Duration = Duration::from_mins(2);
/// Never longer than this.
const PAUSE_MAX: Duration = Duration::from_hours(6);
/// Doublings up to it.
const DOUBLINGS_MAX: u32 = 13;

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The authority took no notice.
    Away,
    /// It did.
    Refused,
}

/// When a certificate is renewed: with a third of its life left, a little earlier by `lot` (0 to 255), so that not all servers of
/// the world come at the same moment.
pub(crate) fn renewal(certificate: &Certificate, lot: u8) -> SystemTime {
    let life = certificate.not_after.duration_since(certificate.not_before).unwrap_or_default();
    let earlier = life / 3 + life / 30 * u32::from(lot) / 255;
    certificate.not_after.checked_sub(earlier).unwrap_or(certificate.not_before)
}

/// How long to wait after so many failures in a row.
pub(crate) fn pause(failures: u32, failed: Failed, lot: u8) -> Duration {
    let first = match failed {
        Failed::Away => AWAY_FIRST,
        Failed::Refused => REFUSED_FIRST,
    };
    let pause = first * 2_u32.pow(failures.saturating_sub(1).min(DOUBLINGS_MAX));
    let pause = pause.min(PAUSE_MAX);
    pause + pause / 10 * u32::from(lot) / 255
}

/// A lot; the middle one where the system has none to draw.
pub(crate) fn lot() -> u8 {
    let mut lot = [127];
    // What it then is, is as good.
    let _ = getrandom::fill(&mut lot);
    lot[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_with_a_third_of_its_life_left() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.pem");
        listen::tls::ensure_first(&file, "a.test").unwrap();
        let shown = listen::tls::server_config(&file, &file, keep::secret::Permissions::Owner).unwrap();
        let mut certificate = Certificate::clone(&shown.certificate().unwrap());
        let day = Duration::from_hours(24);
        certificate.not_after = certificate.not_before + 90 * day;
        assert_eq!(renewal(&certificate, 0), certificate.not_after - 30 * day);
        assert_eq!(renewal(&certificate, 255), certificate.not_after - 33 * day);
        certificate.not_after = certificate.not_before + Duration::from_secs(30);
        assert_eq!(renewal(&certificate, 0), certificate.not_before + Duration::from_secs(20));
    }

    #[test]
    fn pauses_grow_and_end() {
        let minutes = |failures| pause(failures, Failed::Refused, 0).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 5, 6].map(minutes), [2, 4, 8, 16, 32, 64]);
        let secs = |failures| pause(failures, Failed::Away, 0).as_secs();
        assert_eq!([1, 2, 3, 100].map(secs), [5, 10, 20, 6 * 3_600]);
        assert_eq!(pause(u32::MAX, Failed::Refused, 255), PAUSE_MAX + PAUSE_MAX / 10);
    }
}
