//! Password work, which is dear by design: on blocking threads, so many at a time, and not twice for the same question.
//!
//! "This password fits that stored hash" never becomes untrue, so it is remembered (keyed by a hash of login, stored hash
//! and password; ten minutes; bounded). A changed password is another stored hash and therefore another question. Wrong
//! passwords are remembered apart, so that guessing does not push out those who poll every minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use sasl::scheme::{self, Argon2Cost};
use sasl::{SecretBytes, scram};
use tokio::sync::{OnceCell, Semaphore};

use crate::cache::Cache;
use crate::error::DirectoryError;
use crate::key;
use crate::store::Secrets;

/// How long a check is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);
const RIGHT_MAX: usize = 65_536;
const WRONG_MAX: usize = 16_384;
/// Checks that may wait for their turn before the answer is "busy".
const WAITING_MAX: usize = 512;
const DUMMY_PASSWORD_OCTETS: usize = 24;

type Fact = [u8; 32];
type Result<T> = std::result::Result<T, DirectoryError>;

/// Checks and makes hashes.
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    key: hmac::Key,
    right: Cache<Fact, Instant>,
    wrong: Cache<Fact, Instant>,
    /// A hash that no password fits, for logins that have none.
    dummy: OnceCell<Arc<str>>,
}

impl Hasher {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        key::random(key.as_mut_slice())?;
        let threads = 2 * available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            permits: Arc::new(Semaphore::new(threads)),
            waiting: AtomicUsize::new(0),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            right: Cache::new(RIGHT_MAX),
            wrong: Cache::new(WRONG_MAX),
            dummy: OnceCell::new(),
        })
    }

    /// Whether the password fits; without a stored hash it never does, after the same work.
    pub(crate) async fn fits(&self, login: &str, stored: Option<&str>, password: &[u8]) -> Result<bool> {
        let dummy = self.dummy().await?;
        let asked = stored.unwrap_or(&dummy);
        let fact = self.fact(login, asked, password);
        let now = Instant::now();
        if is_fresh(self.right.find(&fact), now) {
            return Ok(stored.is_some());
        }
        if is_fresh(self.wrong.find(&fact), now) {
            return Ok(false);
        }
        let (asked, password) = (asked.to_owned(), SecretBytes::from(password));
        let verified = self.run(move || scheme::verify(&asked, password.expose())).await?;
        let fits = match verified {
            Ok(fits) => fits && stored.is_some(),
            Err(error) => {
                tracing::warn!(login, %error, "stored password cannot be used; set a new one");
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
        let owned = SecretBytes::from(password);
        let secrets = self.run(move || make(owned.expose())).await??;
        self.right.insert(self.fact(right_for, &secrets.hash, password), Instant::now());
        Ok(secrets)
    }

    /// SCRAM keys of a device secret.
    pub(crate) async fn scram(&self, secret: &[u8]) -> Result<String> {
        let owned = SecretBytes::from(secret);
        self.run(move || scram_keys(owned.expose())).await?
    }

    async fn dummy(&self) -> Result<Arc<str>> {
        let make = || async {
            let mut password = [0; DUMMY_PASSWORD_OCTETS];
            key::random(&mut password).map_err(|source| DirectoryError::unavailable("making a password", source))?;
            let hash = self.run(move || scheme::hash_new(&hex(&password))).await?;
            hash.map(Arc::from).map_err(|source| DirectoryError::unavailable("hashing a password", source))
        };
        self.dummy.get_or_try_init(make).await.cloned()
    }

    /// Cancel-safe: a check begun goes on without its asker and keeps its permit until it is done.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = {
            let waiting = Waiting::enter(&self.waiting).ok_or(DirectoryError::Busy)?;
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            drop(waiting);
            permit.map_err(|source| DirectoryError::unavailable("checking a password", source))?
        };
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
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

fn is_fresh(noted: Option<Instant>, now: Instant) -> bool {
    noted.is_some_and(|noted| now.saturating_duration_since(noted) < REMEMBERED)
}

fn make(password: &[u8]) -> Result<Secrets> {
    let hash = scheme::hash_new(password).map_err(|error| match error {
        scheme::HashError::Unfit(_) => unfit(),
        other => DirectoryError::unavailable("hashing a password", other),
    })?;
    Ok(Secrets { hash, scram: Some(scram_keys(password)?) })
}

fn scram_keys(password: &[u8]) -> Result<String> {
    let mut salt = [0; 16];
    key::random(&mut salt).map_err(|source| DirectoryError::unavailable("making a salt", source))?;
    let keys = scram::Keys::derive(password, salt, scram::ITERATIONS_DEFAULT).map_err(|_| unfit())?;
    Ok(keys.to_stored())
}

fn unfit() -> DirectoryError {
    DirectoryError::invalid("password", "", "1 to 1,024 octets without control characters are wanted")
}

/// Whether a stored hash should be made anew while its password is at hand.
pub(crate) fn is_dated(stored: &str) -> bool {
    scheme::is_dated(stored, Argon2Cost::default())
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// A place in the queue, given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_remembered_for_ten_minutes() {
        let now = Instant::now();
        assert!(!is_fresh(None, now));
        assert!(is_fresh(Some(now), now + Duration::from_secs(599)));
        assert!(!is_fresh(Some(now), now + Duration::from_mins(10)));
    }

    #[test]
    fn the_queue_is_bounded_and_gives_its_places_back() {
        let count = AtomicUsize::new(0);
        let places: Vec<_> = std::iter::repeat_with(|| Waiting::enter(&count)).take(WAITING_MAX).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(Waiting::enter(&count).is_none());
        drop(places);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_fact_is_of_login_hash_and_password() {
        let hasher = Hasher::new().unwrap();
        let secrets = hasher.make("a@d.test", b"secret one").await.unwrap();
        assert!(hasher.fits("a@d.test", Some(&secrets.hash), b"secret one").await.unwrap());
        assert!(!hasher.fits("a@d.test", Some(&secrets.hash), b"secret two").await.unwrap());
        assert!(!hasher.fits("a@d.test", None, b"secret one").await.unwrap());
        let facts = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd")];
        let facts = facts.map(|(login, stored, password)| hasher.fact(login, stored, password.as_bytes()));
        assert!(facts[0] != facts[1] && facts[1] != facts[2] && facts[0] != facts[2]);
    }

    #[tokio::test]
    async fn an_unreadable_hash_fits_nothing() {
        let hasher = Hasher::new().unwrap();
        for stored in ["", "{PLAIN}secret", "{NONSENSE}secret", "secret"] {
            assert!(!hasher.fits("a@d.test", Some(stored), b"secret").await.unwrap(), "{stored}");
        }
    }
}
