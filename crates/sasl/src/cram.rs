//! CRAM-MD5 (RFC 2195): the challenge, the digest, and the contexts that Dovecot stores as `{CRAM-MD5}`.
//!
//! The contexts are the two states of MD5 after HMAC's inner and outer pad: enough to answer a challenge, so as good as the
//! password for CRAM-MD5, but not the password.

use std::fmt;

use md5::block_api::compress;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::hash;
use crate::{StoredSecret, apop, prepare};

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

/// Whether `digest` proves one of the secrets. All are tried, whichever fits; one that CRAM-MD5 cannot use does not fit, and
/// neither does an empty one (T13).
pub fn verify(challenge: &[u8], secrets: &[StoredSecret], digest: &[u8; 16]) -> bool {
    let mut found = subtle::Choice::from(0);
    for secret in secrets {
        let expected = match secret {
            StoredSecret::Clear(clear) if prepare::password(clear.expose()).is_ok() => {
                hash::hmac_md5(clear.expose(), challenge)
            }
            StoredSecret::CramMd5(contexts) => contexts.answer(challenge),
            StoredSecret::Clear(_) | StoredSecret::ScramSha256(_) => continue,
        };
        found |= expected.ct_eq(digest);
    }
    found.into()
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
        Some(Self { outer: words(&octets[..16]), inner: words(&octets[16..]) })
    }

    /// `{CRAM-MD5}` and 64 hexadecimal digits.
    pub fn to_stored(&self) -> String {
        let mut octets = Zeroizing::new([0; 32]);
        octets[..16].copy_from_slice(&le_octets(&self.outer));
        octets[16..].copy_from_slice(&le_octets(&self.inner));
        format!("{{CRAM-MD5}}{}", hash::hex(octets.as_slice()))
    }

    /// Whether this is of that password; the empty one never verifies (T13).
    pub fn verify(&self, password: &[u8]) -> bool {
        let Ok(other) = Self::derive(password) else { return false };
        let same =
            self.outer.as_slice().ct_eq(other.outer.as_slice()) & self.inner.as_slice().ct_eq(other.inner.as_slice());
        same.into()
    }

    fn answer(&self, challenge: &[u8]) -> [u8; 16] {
        finish(self.outer, &finish(self.inner, challenge))
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

/// Ends an MD5 that already took one block of 64 octets and now takes `message` (RFC 1321 §3.1, §3.2).
fn finish(mut state: [u32; 4], message: &[u8]) -> [u8; 16] {
    let (blocks, rest) = message.as_chunks::<64>();
    compress(&mut state, blocks);
    let mut tail = [[0_u8; 64]; 2];
    tail[0][..rest.len()].copy_from_slice(rest);
    tail[0][rest.len()] = 0x80;
    let used = if rest.len() < 56 { 1 } else { 2 };
    let bits = (message.len() as u64 + 64).wrapping_mul(8);
    tail[used - 1][56..].copy_from_slice(&bits.to_le_bytes());
    compress(&mut state, &tail[..used]);
    le_octets(&state)
}

fn words(octets: &[u8]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, four) in words.iter_mut().zip(octets.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*four);
    }
    words
}

fn le_octets(words: &[u32; 4]) -> [u8; 16] {
    let mut octets = [0; 16];
    for (four, word) in octets.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *four = word.to_le_bytes();
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::{Contexts, challenge, digest, verify};
    use crate::hash::{hmac_md5, unhex};
    use crate::{SecretBytes, StoredSecret};

    /// RFC 2195 §2.
    const CHALLENGE: &[u8] = b"<1896.697170952@postoffice.reston.mci.net>";
    const DIGEST: &str = "b913a602c7eda7a495b4e6e7334d3890";

    #[test]
    fn the_example_of_rfc_2195() {
        assert_eq!(digest(CHALLENGE, b"tanstaaftanstaaf"), DIGEST);
        let given = unhex(DIGEST.as_bytes()).unwrap();
        let other = StoredSecret::Clear(SecretBytes::from("other"));
        let clear = StoredSecret::Clear(SecretBytes::from("tanstaaftanstaaf"));
        let contexts = StoredSecret::CramMd5(Contexts::derive(b"tanstaaftanstaaf").unwrap());
        for right in [clear, contexts] {
            assert!(verify(CHALLENGE, &[other.clone(), right, other.clone()], &given));
        }
        assert!(!verify(CHALLENGE, &[other], &given));
        assert!(!verify(CHALLENGE, &[], &given));
    }

    #[test]
    fn contexts_answer_as_the_password_would() {
        for password in ["x", "tanstaaftanstaaf", &"k".repeat(64), &"k".repeat(65), &"long".repeat(200)] {
            let contexts = Contexts::derive(password.as_bytes()).unwrap();
            for length in 0..200 {
                let message = vec![b'm'; length];
                assert_eq!(contexts.answer(&message), hmac_md5(password.as_bytes(), &message), "{length}");
            }
        }
    }

    /// `doveadm pw -s CRAM-MD5 -p 'x y€'`
    #[test]
    fn dovecots_contexts_are_read_and_written() {
        let stored = "{CRAM-MD5}23406442309f1b29073d875105ae6245b050eb5961b6e8e97915646ddbb97bfe";
        let contexts = Contexts::parse(stored).unwrap();
        assert!(contexts.verify("x y€".as_bytes()));
        assert!(!contexts.verify(b"x y"));
        assert_eq!(Contexts::derive("x y€".as_bytes()).unwrap().to_stored(), stored);
        assert!(Contexts::parse("{CRAM-MD5}23").is_none());
        assert_eq!(format!("{contexts:?}"), "Contexts(…)");
    }

    #[test]
    fn t13_empty_secret_never_verifies_cram() {
        assert!(Contexts::derive(b"").is_err());
        let empty = [StoredSecret::Clear(SecretBytes::from(""))];
        assert!(!verify(CHALLENGE, &empty, &hmac_md5(b"", CHALLENGE)));
    }

    #[test]
    fn challenges_differ_by_the_nonce() {
        assert_ne!(challenge(&[1; 24], 5, "h.example"), challenge(&[2; 24], 5, "h.example"));
    }
}
