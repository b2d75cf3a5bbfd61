//! The digest of POP3's APOP (RFC 1939 §7): MD5 over the greeting's timestamp and the shared secret.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::hash;
use crate::prepare;

/// The timestamp for a greeting, with its angle brackets: unique by the 24 random octets, and of no use to a forger of
/// collisions, who would have to choose it.
pub fn timestamp(nonce: &[u8; 24], unix_secs: u64, hostname: &str) -> String {
    format!("<{}.{unix_secs}@{hostname}>", hash::hex(nonce))
}

/// What a client sends after its name: 32 lower-case hexadecimal digits. `timestamp` has its angle brackets.
pub fn digest(timestamp: &str, secret: &[u8]) -> String {
    hash::hex(&octets(timestamp, secret))
}

/// Whether `digest` proves the secret. Constant time in the digest; an empty secret never verifies (T13).
pub fn verify(timestamp: &str, secret: &[u8], digest: &[u8]) -> bool {
    let expected = octets(timestamp, secret);
    let Some(given) = hash::unhex::<16>(digest) else { return false };
    bool::from(expected.ct_eq(&given)) && prepare::password(secret).is_ok()
}

fn octets(timestamp: &str, secret: &[u8]) -> [u8; 16] {
    Md5::new().chain_update(timestamp).chain_update(secret).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{digest, timestamp, verify};

    const TIMESTAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

    #[test]
    fn the_example_of_rfc_1939() {
        assert_eq!(digest(TIMESTAMP, b"tanstaaf"), "c4c9334bac560ecc979e58001b3e22fb");
        assert!(verify(TIMESTAMP, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22fb"));
        assert!(verify(TIMESTAMP, b"tanstaaf", b"C4C9334BAC560ECC979E58001B3E22FB"));
    }

    #[test]
    fn nothing_else_verifies() {
        for wrong in [&b""[..], b"c4c9334bac560ecc979e58001b3e22fa", b"c4c9", b"zzc9334bac560ecc979e58001b3e22fb"] {
            assert!(!verify(TIMESTAMP, b"tanstaaf", wrong), "{wrong:?}");
        }
    }

    #[test]
    fn t13_empty_secret_never_verifies_apop() {
        let right_for_empty = digest(TIMESTAMP, b"");
        assert!(!verify(TIMESTAMP, b"", right_for_empty.as_bytes()));
    }

    #[test]
    fn timestamps_have_the_form_of_a_message_id() {
        let stamp = timestamp(&[0xab; 24], 7, "mx.example.test");
        assert_eq!(stamp, format!("<{}.7@mx.example.test>", "ab".repeat(24)));
    }
}
