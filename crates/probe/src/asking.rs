//! What all probes share: the resolver of the configuration, and texts of strangers made fit to be shown.

pub use dns::{Resolver, SetupError};

use dns::Settings;
use keep::text::misleads;

/// The resolver that a configuration means.
pub fn resolver(configured: &config::Dns) -> Result<Resolver, SetupError> {
    Resolver::new(&Settings { servers: configured.servers.clone(), timeout: configured.timeout })
}

/// A text of a stranger without what a terminal or a reader would be misled by, cut to so many characters.
pub(crate) fn clean(octets: &[u8], characters_max: usize) -> String {
    let text = String::from_utf8_lossy(octets);
    let mut shown: String = text.chars().filter(|it| !misleads(*it)).take(characters_max).collect();
    if text.chars().count() > characters_max {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_obeys_nobody() {
        for (octets, shown) in [
            (&b"see https://l.example/?ip=1"[..], "see https://l.example/?ip=1"),
            (b"\x1b[2Jgone\r\nnext", "[2Jgonenext"),
            ("a\u{202e}b".as_bytes(), "ab"),
            (b"12345678901234567890123456789012345", "123456789012345678901234567890…"),
        ] {
            assert_eq!(clean(octets, 30), shown);
        }
    }
}
