//! SCRAM-SHA-256 (RFC 5802, RFC 7677): the keys as stored, and what both sides reckon with them.
//!
//! The messages are in [`message`]; the turns of each side in `server` and `client`.

pub mod message;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::hash::{hmac_sha256, sha256};
use crate::prepare::{self, Unfit};

/// Iterations for keys that we make. Whoever steals the keys guesses at this price, so it is well above the 4,096 which
/// RFC 7677 §4 asks for; the client pays it at every login (some 20 ms).
pub const ITERATIONS_DEFAULT: u32 = 100_000;
/// Fewest iterations that a client of ours accepts from a server (RFC 7677 §4).
pub const ITERATIONS_MIN: u32 = 4_096;
/// Most iterations that are reckoned with, for a server of bad will would have us reckon for ever.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// Longest salt, in octets.
pub const SALT_OCTETS_MAX: usize = 64;

/// What a server keeps instead of a password: salt, iterations, StoredKey and ServerKey (RFC 5802 §3).
#[derive(Clone)]
pub struct Keys {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Keys {
    /// Reckons the keys; costs some milliseconds per 10,000 iterations, so it belongs on a blocking thread. `iterations` is
    /// brought into [`ITERATIONS_MIN`] ..= [`ITERATIONS_MAX`].
    pub fn derive(password: &[u8], salt: [u8; 16], iterations: u32) -> Result<Self, Unfit> {
        let iterations = iterations.clamp(ITERATIONS_MIN, ITERATIONS_MAX);
        let password = prepare::password(password)?;
        Ok(Self::from_salted(&Salted::new(password, &salt, iterations), salt.to_vec(), iterations))
    }

    /// Reads `iterations,salt,StoredKey,ServerKey` (the last three in base64), with or without `{SCRAM-SHA-256}` before it:
    /// the form of Dovecot. `None` if it is not exactly that, or out of the bounds of this module.
    pub fn parse(stored: &str) -> Option<Self> {
        let mut fields = stored.strip_prefix("{SCRAM-SHA-256}").unwrap_or(stored).split(',');
        let iterations = message::iterations(fields.next()?)?;
        let salt = message::salt(fields.next()?)?;
        let keys = Self { iterations, salt, stored_key: key(fields.next()?)?, server_key: key(fields.next()?)? };
        fields.next().is_none().then_some(keys)
    }

    /// `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`.
    pub fn to_stored(&self) -> String {
        let (salt, stored, server) =
            (STANDARD.encode(&self.salt), STANDARD.encode(self.stored_key), STANDARD.encode(self.server_key));
        format!("{{SCRAM-SHA-256}}{},{salt},{stored},{server}", self.iterations)
    }

    /// Iterations of these keys.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Salt of these keys.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether these are of that password, given in clear; as dear as [`Keys::derive`]. The empty one never verifies (T13).
    pub fn verify(&self, password: &[u8]) -> bool {
        let Ok(password) = prepare::password(password) else { return false };
        let salted = Salted::new(password, &self.salt, self.iterations);
        salted.stored_key().ct_eq(&self.stored_key).into()
    }

    /// Keys for a login that has none: of the usual shape, always the same for one login, and fitting no password at all,
    /// as nobody knows an octet string of which they would be the hash. `key` is secret and the same after a restart.
    pub(crate) fn decoy(login: &str, key: &[u8; 32]) -> Self {
        let login = login.to_ascii_lowercase();
        let draw = |what: &str| hmac_sha256(key, &[what.as_bytes(), b"\0", login.as_bytes()]);
        Self {
            iterations: ITERATIONS_DEFAULT,
            salt: draw("scram salt")[..16].to_vec(),
            stored_key: draw("scram stored key"),
            server_key: draw("scram server key"),
        }
    }

    /// Whether `proof` is the client's for this exchange (RFC 5802 §3: StoredKey = H(proof XOR signature)).
    pub(crate) fn proves(&self, auth_message: &[&[u8]], proof: &[u8; 32]) -> bool {
        let mut client_key = Zeroizing::new(hmac_sha256(&self.stored_key, auth_message));
        client_key.iter_mut().zip(proof).for_each(|(left, right)| *left ^= right);
        sha256(client_key.as_slice()).ct_eq(&self.stored_key).into()
    }

    /// With what the server shows that it, too, knows the keys.
    pub(crate) fn server_signature(&self, auth_message: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(&self.server_key, auth_message)
    }

    fn from_salted(salted: &Salted, salt: Vec<u8>, iterations: u32) -> Self {
        Self { iterations, salt, stored_key: salted.stored_key(), server_key: *salted.server_key() }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// SaltedPassword (RFC 5802 §3): as good as the password.
pub(crate) struct Salted(Zeroizing<[u8; 32]>);

impl Salted {
    pub(crate) fn new(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let opaque = prepare::opaque(password);
        let password = opaque.as_ref().map_or(password, |opaque| opaque.expose());
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, salted.as_mut_slice());
        Self(salted)
    }

    fn client_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hmac_sha256(self.0.as_slice(), &[b"Client Key"]))
    }

    fn server_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hmac_sha256(self.0.as_slice(), &[b"Server Key"]))
    }

    fn stored_key(&self) -> [u8; 32] {
        sha256(self.client_key().as_slice())
    }

    /// ClientProof.
    pub(crate) fn proof(&self, auth_message: &[&[u8]]) -> [u8; 32] {
        let mut proof = hmac_sha256(&self.stored_key(), auth_message);
        proof.iter_mut().zip(self.client_key().iter()).for_each(|(left, right)| *left ^= right);
        proof
    }

    /// ServerSignature, as the client expects it.
    pub(crate) fn server_signature(&self, auth_message: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(self.server_key().as_slice(), auth_message)
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{ITERATIONS_MIN, Keys, Salted};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// RFC 7677 §3.
    const AUTH_MESSAGE: [&[u8]; 3] = [
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    ];

    fn rfc_keys() -> Keys {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        Keys::derive(b"pencil", salt, 4096).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let keys = rfc_keys();
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap().try_into().unwrap();
        assert!(keys.proves(&AUTH_MESSAGE, &proof));
        assert!(!keys.proves(&AUTH_MESSAGE[..2], &proof));
        let signature = STANDARD.encode(keys.server_signature(&AUTH_MESSAGE));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let salted = Salted::new(b"pencil", keys.salt(), 4096);
        assert_eq!(salted.proof(&AUTH_MESSAGE), proof);
        assert_eq!(STANDARD.encode(salted.server_signature(&AUTH_MESSAGE)), signature);
    }

    /// `doveadm pw -s SCRAM-SHA-256 -p 'x y€'`
    #[test]
    fn dovecots_keys_are_read_and_written() {
        let stored = "{SCRAM-SHA-256}4096,DUA9J0BhFatuHTFUzJ1xXA==,TpurN6drvMARA5m2401Pn5Bof2Lm7e/gU3umPAZ4+Gk=,\
                      bKoR7DtBfd8cRJDPr3NWVPYWEIdXxpQ1NOg2+yJvW/8=";
        let keys = Keys::parse(stored).unwrap();
        assert!(keys.verify("x y€".as_bytes()));
        assert!(!keys.verify(b"x y"));
        assert_eq!(keys.to_stored(), stored);
        let again = Keys::derive("x y€".as_bytes(), keys.salt().try_into().unwrap(), keys.iterations()).unwrap();
        assert_eq!(again.to_stored(), stored);
    }

    #[test]
    fn broken_keys_are_refused() {
        let good = rfc_keys().to_stored();
        let fields: Vec<&str> = good.split(',').collect();
        for bad in [
            String::new(),
            fields[..3].join(","),
            format!("{good},x"),
            good.replace("4096", "0"),
            good.replace("4096", "2000000000"),
            good.replace("4096", "+4096"),
            good.replace(fields[1], ""),
            good.replace(fields[2], fields[1]),
            good.replace(fields[3], "="),
        ] {
            assert!(Keys::parse(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn decoys_are_steady_and_fit_nothing() {
        let (one, again) = (Keys::decoy("Mallory", &[7; 32]), Keys::decoy("mallory", &[7; 32]));
        assert_eq!(one.to_stored(), again.to_stored());
        assert_ne!(one.salt(), Keys::decoy("mallory2", &[7; 32]).salt());
        assert_ne!(one.salt(), Keys::decoy("mallory", &[8; 32]).salt());
        assert_eq!(one.salt().len(), 16);
    }

    #[test]
    fn few_iterations_are_raised_and_blanks_mapped() {
        let keys = Keys::derive("a\u{3000}b".as_bytes(), [1; 16], 1).unwrap();
        assert_eq!(keys.iterations(), ITERATIONS_MIN);
        assert!(keys.verify(b"a b"));
        assert_eq!(format!("{keys:?}"), "Keys { iterations: 4096, .. }");
    }

    #[test]
    fn t13_empty_password_never_verifies_scram() {
        assert!(Keys::derive(b"", [0; 16], 4096).is_err());
        assert!(!rfc_keys().verify(b""));
    }
}
