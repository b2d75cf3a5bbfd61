//! CRAM-MD5 (RFC 2195): the challenge, the digest, and the contexts that Dovecot stores as `{CRAM-MD5}`.
//!
//! The contexts are the two states of MD5 after HMAC's inner and outer pad: enough to answer a challenge, so as good as the
//! password for CRAM-MD5, but not the password.

use std::fmt;

use md5::block_api::compress;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::{apop, hash, prepare};

/// The initial state of MD5 (RFC 1321 §3.3).
const MD5_START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// A challenge, of the form of a message-id (RFC 2195 §2).
pub fn challenge(nonce: &[u8; 24], unix_secs: u64, hostname: &str) -> String {
    apop::timestamp(nonce, unix_secs, hostname)
}

/// What a client answers after its login and a blank: 32 lower-case hexadecimal digits.
pub fn digest(challenge: &[u8], secret: &[u8]) -> String {
    hash::hex(&hash::hmac_md5(secret, challenge))
}

/// The two MD5 states of HMAC-MD5, as Dovecot stores them in `{CRAM-MD5}`.
#[derive(Clone)]
pub struct Contexts {
    outer: [u32; 4],
    inner: [u32; 4],
}

impl Contexts {
    /// The contexts of a password. `Err` if the password may not be set at all.
    pub fn derive(password: &[u8]) -> Result<Self, prepare::Unfit> {
        let password = prepare::password(password)?;
        Ok(Self { outer: after_pad(password, 0x5c), inner: after_pad(password, 0x36) })
    }

    /// Reads 64 hexadecimal digits, with or without `{CRAM-MD5}` before them.
    pub fn parse(stored: &str) -> Option<Self> {
        let digits = stored.strip_prefix("{CRAM-MD5}").unwrap_or(stored);
        let octets = Zeroizing::new(hash::unhex::<32>(digits.as_bytes())?);
        Some(Self { outer: le_words(&octets[..16]), inner: le_words(&octets[16..]) })
    }

    /// Whether this is of that password; the empty one never verifies (T13).
    pub fn verify(&self, password: &[u8]) -> bool {
        let Ok(other) = Self::derive(password) else { return false };
        let same =
            self.outer.as_slice().ct_eq(other.outer.as_slice()) & self.inner.as_slice().ct_eq(other.inner.as_slice());
        same.into()
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        self.outer.zeroize();
        self.inner.zeroize();
    }
}

impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contexts(…)")
    }
}

/// The state of MD5 after the one block of key and pad (RFC 2104 §2).
fn after_pad(key: &[u8], pad: u8) -> [u32; 4] {
    let mut block = Zeroizing::new([0_u8; 64]);
    if key.len() > 64 {
        block[..16].copy_from_slice(&<md5::Md5 as md5::Digest>::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block.iter_mut().for_each(|octet| *octet ^= pad);
    let mut state = MD5_START;
    compress(&mut state, &[*block]);
    state
}

fn le_words(octets: &[u8]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, four) in words.iter_mut().zip(octets.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*four);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Contexts, challenge, digest};

    /// RFC 2195 §2.
    const CHALLENGE: &[u8] = b"<1896.697170952@postoffice.reston.mci.net>";
    const DIGEST: &str = "b913a602c7eda7a495b4e6e7334d3890";

    #[test]
    fn the_example_of_rfc_2195() {
        assert_eq!(digest(CHALLENGE, b"tanstaaftanstaaf"), DIGEST);
    }

    /// `doveadm pw -s CRAM-MD5 -p 'x y€'`
    #[test]
    fn dovecots_contexts_are_read() {
        let stored = "{CRAM-MD5}23406442309f1b29073d875105ae6245b050eb5961b6e8e97915646ddbb97bfe";
        let contexts = Contexts::parse(stored).unwrap();
        assert!(contexts.verify("x y€".as_bytes()));
        assert!(!contexts.verify(b"x y"));
        assert!(Contexts::parse("{CRAM-MD5}23").is_none());
        assert_eq!(format!("{contexts:?}"), "Contexts(…)");
    }

    #[test]
    fn t13_empty_password_has_no_contexts() {
        assert!(Contexts::derive(b"").is_err());
    }

    #[test]
    fn challenges_differ_by_the_nonce() {
        assert_ne!(challenge(&[1; 24], 5, "h.example"), challenge(&[2; 24], 5, "h.example"));
    }
}
