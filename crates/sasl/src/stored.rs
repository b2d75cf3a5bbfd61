//! Secrets as the directory hands them out for one login, and what of them an exchange asks for.

use subtle::ConstantTimeEq;

use crate::{SecretBytes, hash, prepare, scram};

/// Which stored form an exchange asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// [`StoredSecret::Clear`].
    CramMd5,
    /// [`StoredSecret::ScramSha256`].
    ScramSha256,
}

/// A secret as the directory hands it out for one login. A device secret is `Clear` (it was kept encrypted until now).
#[derive(Clone, Debug)]
pub enum StoredSecret {
    /// The secret itself.
    Clear(SecretBytes),
    /// Salt, iterations and the two keys of SCRAM-SHA-256.
    ScramSha256(scram::Keys),
}

impl StoredSecret {
    /// What a client that knows the secret answers to a challenge of CRAM-MD5; `None` where CRAM-MD5 cannot use the
    /// secret, or it is an empty one (T13).
    fn cram_md5_answer(&self, challenge: &[u8]) -> Option<[u8; 16]> {
        match self {
            Self::Clear(clear) if prepare::password(clear.expose()).is_ok() => {
                Some(hash::hmac_md5(clear.expose(), challenge))
            }
            Self::Clear(_) | Self::ScramSha256(_) => None,
        }
    }
}

/// Whether `digest` answers the challenge of CRAM-MD5 by one of the secrets. All are tried, whichever fits.
pub(crate) fn answers_cram_md5(secrets: &[StoredSecret], challenge: &[u8], digest: &[u8; 16]) -> bool {
    let mut found = subtle::Choice::from(0);
    for expected in secrets.iter().filter_map(|secret| secret.cram_md5_answer(challenge)) {
        found |= expected.ct_eq(digest);
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::{StoredSecret, answers_cram_md5};
    use crate::SecretBytes;
    use crate::hash::{hmac_md5, unhex};

    /// RFC 2195 §2.
    const CHALLENGE: &[u8] = b"<1896.697170952@postoffice.reston.mci.net>";
    const DIGEST: &str = "b913a602c7eda7a495b4e6e7334d3890";

    #[test]
    fn the_example_of_rfc_2195_by_any_secret() {
        let given = unhex(DIGEST.as_bytes()).unwrap();
        let other = StoredSecret::Clear(SecretBytes::from("other"));
        let clear = StoredSecret::Clear(SecretBytes::from("tanstaaftanstaaf"));
        assert!(answers_cram_md5(&[other.clone(), clear, other.clone()], CHALLENGE, &given));
        assert!(!answers_cram_md5(&[other], CHALLENGE, &given));
        assert!(!answers_cram_md5(&[], CHALLENGE, &given));
    }

    #[test]
    fn t13_empty_secret_never_verifies_cram() {
        let empty = [StoredSecret::Clear(SecretBytes::from(""))];
        assert!(!answers_cram_md5(&empty, CHALLENGE, &hmac_md5(b"", CHALLENGE)));
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let stored = StoredSecret::Clear(SecretBytes::from("correct horse"));
        assert!(!format!("{stored:?}").contains("horse"));
    }
}
