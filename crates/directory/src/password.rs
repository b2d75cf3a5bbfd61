//! Password work, which is dear by design: on blocking threads, so many at a time, and not twice for the same question.
//!
//! "This password fits that stored hash" never becomes untrue, so it is remembered (keyed by a hash of login, stored hash
//! and password; for as long as the settings say; bounded). A changed password is another stored hash and therefore another question. Wrong
//! passwords are remembered apart, so that guessing does not push out those who poll every minute.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use sasl::scheme::{self, Argon2Cost};
use sasl::{SecretBytes, scram};
use tokio::sync::OnceCell;

use crate::cache::Cache;
use crate::error::DirectoryError;
use crate::key;
use crate::store::Secrets;
use crate::turns::{Client, Turns};

const RIGHT_MAX: usize = 65_536;
const WRONG_MAX: usize = 16_384;
const DUMMY_PASSWORD_OCTETS: usize = 24;
/// For whom work is done that nobody can ask for who has not proved himself: new passwords, an operator's.
const OPERATOR: Client = Client::Known(IpAddr::V4(Ipv4Addr::LOCALHOST));

type Fact = [u8; 32];
type Result<T> = std::result::Result<T, DirectoryError>;

/// What checking and making passwords may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordTerms {
    /// What a new hash costs. One that cost less is made anew at its next login.
    pub argon2: Argon2Cost,
    /// Checks at a time, at least 1. Default: two a processor.
    pub checks_at_once: usize,
    /// How long a check is remembered; zero is not at all. Default 10 minutes.
    pub remembered: Duration,
}

impl Default for PasswordTerms {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, std::num::NonZero::get);
        Self { argon2: Argon2Cost::default(), checks_at_once: 2 * processors, remembered: Duration::from_mins(10) }
    }
}

/// Checks and makes hashes.
pub(crate) struct Hasher {
    way: ArcSwap<Way>,
    key: hmac::Key,
    right: Cache<Fact, Instant>,
    wrong: Cache<Fact, Instant>,
}

/// A password that is tried.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Whose, in the directory's form: a name and its short form are one question.
    pub(crate) login: &'a str,
    /// Its stored hash; without one nothing fits, after the same work.
    pub(crate) stored: Option<&'a str>,
    pub(crate) password: &'a [u8],
}

/// How the work is done under one configuration; a new one replaces it whole, and checks that run keep theirs.
struct Way {
    terms: PasswordTerms,
    turns: Arc<Turns>,
    /// A hash that no password fits, for logins that have none; as dear as those that are made now.
    dummy: OnceCell<Arc<str>>,
}

impl Way {
    fn new(terms: PasswordTerms) -> Self {
        Self { terms, turns: Turns::new(terms.checks_at_once), dummy: OnceCell::new() }
    }
}

impl Hasher {
    pub(crate) fn new(terms: PasswordTerms) -> std::io::Result<Self> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        key::random(key.as_mut_slice())?;
        Ok(Self {
            way: ArcSwap::from_pointee(Way::new(terms)),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            right: Cache::new(RIGHT_MAX),
            wrong: Cache::new(WRONG_MAX),
        })
    }

    /// Goes by other terms from now on.
    pub(crate) fn set_terms(&self, terms: PasswordTerms) {
        if self.way.load().terms != terms {
            self.way.store(Arc::new(Way::new(terms)));
        }
    }

    /// Whether a stored hash should be made anew while its password is at hand.
    pub(crate) fn is_dated(&self, stored: &str) -> bool {
        scheme::is_dated(stored, self.way.load().terms.argon2)
    }

    /// Whether the password fits. `client` is for whom, see [`Turns`].
    pub(crate) async fn fits(&self, asked: &Asked<'_>, client: Client) -> Result<bool> {
        let Asked { login, stored, password } = *asked;
        let dummy = self.dummy().await?;
        let asked = stored.unwrap_or(&dummy);
        let fact = self.fact(login, asked, password);
        let (now, remembered) = (Instant::now(), self.way.load().terms.remembered);
        if is_fresh(self.right.find(&fact), now, remembered) {
            return Ok(stored.is_some());
        }
        if is_fresh(self.wrong.find(&fact), now, remembered) {
            return Ok(false);
        }
        let (asked, password) = (asked.to_owned(), SecretBytes::from(password));
        let verified = self.run(client, move || scheme::verify(&asked, password.expose())).await?;
        let fits = match verified {
            Ok(fits) => fits && stored.is_some(),
            Err(error) => {
                tracing::warn!(login, %error, note = "set a new one", "password unusable");
                false
            }
        };
        if fits {
            self.right.insert(fact, now);
        } else {
            self.wrong.insert(fact, now);
        }
        Ok(fits)
    }

    /// Wrong passwords that cost a check.
    #[cfg(test)]
    pub(crate) fn wrong_checks(&self) -> usize {
        self.wrong.len()
    }

    /// The stored forms of a new password. `right_for` names the login whose next check this saves.
    pub(crate) async fn make(&self, right_for: &str, password: &[u8]) -> Result<Secrets> {
        let (owned, cost) = (SecretBytes::from(password), self.way.load().terms.argon2);
        let secrets = self.run(OPERATOR, move || make(owned.expose(), cost)).await??;
        self.right.insert(self.fact(right_for, &secrets.hash, password), Instant::now());
        Ok(secrets)
    }

    /// SCRAM keys of a device secret.
    pub(crate) async fn scram(&self, secret: &[u8]) -> Result<String> {
        let owned = SecretBytes::from(secret);
        self.run(OPERATOR, move || scram_keys(owned.expose())).await?
    }

    async fn dummy(&self) -> Result<Arc<str>> {
        let way = self.way.load_full();
        let cost = way.terms.argon2;
        let make = || async {
            let mut password = [0; DUMMY_PASSWORD_OCTETS];
            key::random(&mut password).map_err(|source| DirectoryError::unavailable("making a password", source))?;
            let hash = self.run(OPERATOR, move || hash(&hex(&password), cost)).await??;
            Ok(Arc::from(hash))
        };
        way.dummy.get_or_try_init(make).await.cloned()
    }

    /// Cancel-safe: a check begun goes on without its asker and keeps its turn until it is done.
    async fn run<T: Send + 'static>(&self, client: Client, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turns = Arc::clone(&self.way.load().turns);
        let turn = turns.turn(client).await.ok_or(DirectoryError::Busy)?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        task.await.map_err(|source| DirectoryError::unavailable("checking a password", source))
    }

    fn fact(&self, login: &str, stored: &str, password: &[u8]) -> Fact {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [login.as_bytes(), stored.as_bytes(), password] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fact = [0; 32];
        fact.copy_from_slice(context.sign().as_ref());
        fact
    }
}

fn is_fresh(noted: Option<Instant>, now: Instant, remembered: Duration) -> bool {
    noted.is_some_and(|noted| now.saturating_duration_since(noted) < remembered)
}

fn make(password: &[u8], cost: Argon2Cost) -> Result<Secrets> {
    Ok(Secrets { hash: hash(password, cost)?, scram: Some(scram_keys(password)?) })
}

fn hash(password: &[u8], cost: Argon2Cost) -> Result<String> {
    scheme::hash(password, salt()?, cost).map_err(|error| match error {
        scheme::HashError::Unfit(_) => unfit(),
        error @ scheme::HashError::Cost(_) => DirectoryError::unavailable("hashing a password", error),
    })
}

fn salt() -> Result<[u8; 16]> {
    let mut salt = [0; 16];
    key::random(&mut salt).map_err(|source| DirectoryError::unavailable("making a salt", source))?;
    Ok(salt)
}

fn scram_keys(password: &[u8]) -> Result<String> {
    let keys = scram::Keys::derive(password, salt()?, scram::ITERATIONS_DEFAULT).map_err(|_| unfit())?;
    Ok(keys.to_stored())
}

fn unfit() -> DirectoryError {
    DirectoryError::invalid("password", "", "1 to 1,024 octets without control characters are wanted")
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_remembered_for_ten_minutes() {
        let (now, ten) = (Instant::now(), Duration::from_mins(10));
        assert!(!is_fresh(None, now, ten));
        assert!(is_fresh(Some(now), now + Duration::from_secs(599), ten));
        assert!(!is_fresh(Some(now), now + ten, ten));
        assert!(!is_fresh(Some(now), now, Duration::ZERO), "not at all");
    }

    /// A new hash costs what is configured; one that was cheaper is dated, a dearer one is not.
    #[tokio::test]
    async fn the_cost_is_the_configured_one() {
        let cost = |memory_kib, passes| Argon2Cost { memory_kib, passes, lanes: 1 };
        let terms = PasswordTerms { argon2: cost(64, 1), checks_at_once: 1, ..PasswordTerms::default() };
        let hasher = Hasher::new(terms).unwrap();
        let cheap = hasher.make("a@d.test", b"secret one").await.unwrap().hash;
        assert!(cheap.contains("$m=64,t=1,p=1$"), "{cheap}");
        assert!(!hasher.is_dated(&cheap));
        hasher.set_terms(PasswordTerms { argon2: cost(128, 3), ..terms });
        assert!(hasher.is_dated(&cheap));
        assert!(hasher.dummy().await.unwrap().contains("$m=128,t=3,p=1$"), "an unknown login takes as long");
        let dear = hasher.make("a@d.test", b"secret one").await.unwrap().hash;
        assert!(dear.contains("$m=128,t=3,p=1$"), "{dear}");
        assert!(fits(&hasher, "a@d.test", Some(&cheap), b"secret one").await);
    }

    #[tokio::test]
    async fn no_more_checks_at_once_than_configured() {
        let hasher = Hasher::new(PasswordTerms { checks_at_once: 1, ..PasswordTerms::default() }).unwrap();
        let turns = Arc::clone(&hasher.way.load().turns);
        assert_eq!(turns.free(), 1);
        let turn = turns.turn(OPERATOR).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(20), hasher.run(OPERATOR, || ()));
        assert!(waits.await.is_err());
        drop(turn);
        hasher.run(OPERATOR, || ()).await.unwrap();
    }

    async fn fits(hasher: &Hasher, login: &str, stored: Option<&str>, password: &[u8]) -> bool {
        hasher.fits(&Asked { login, stored, password }, OPERATOR).await.unwrap()
    }

    #[tokio::test]
    async fn a_fact_is_of_login_hash_and_password() {
        let hasher = Hasher::new(PasswordTerms::default()).unwrap();
        let secrets = hasher.make("a@d.test", b"secret one").await.unwrap();
        assert!(fits(&hasher, "a@d.test", Some(&secrets.hash), b"secret one").await);
        assert!(!fits(&hasher, "a@d.test", Some(&secrets.hash), b"secret two").await);
        assert!(!fits(&hasher, "a@d.test", None, b"secret one").await);
        let facts = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd")];
        let facts = facts.map(|(login, stored, password)| hasher.fact(login, stored, password.as_bytes()));
        assert!(facts[0] != facts[1] && facts[1] != facts[2] && facts[0] != facts[2]);
    }

    #[tokio::test]
    async fn an_unreadable_hash_fits_nothing() {
        let hasher = Hasher::new(PasswordTerms::default()).unwrap();
        for stored in ["", "{PLAIN}secret", "{NONSENSE}secret", "secret"] {
            assert!(!fits(&hasher, "a@d.test", Some(stored), b"secret").await, "{stored}");
        }
    }
}
