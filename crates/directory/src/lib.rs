//! Who lives here: domains, accounts, their addresses and aliases, passwords and device secrets, in an SQLite database.
//!
//! Answers for: where an address leads ([`Directory::resolve`]), who may send by it ([`Directory::owners`]), whose a login
//! is ([`Directory::authenticate`], [`Directory::secrets_for`]), and for changing all that. Every answer is "yes", "no" or
//! "cannot say" ([`DirectoryError::is_temporary`]); the last is never read as one of the others. Answers on the way of a
//! mail come from bounded memory and are dropped when anything changes: at once when this process changed it, within a
//! second when another did.
//!
//! Does not answer for: relaying (that is `guard`), counting wrong passwords (`state`), the grammar of addresses (`smtp`),
//! reply texts.
//!
//! | file | what |
//! |---|---|
//! | `account`, `alias`, `device` | what an operator does |
//! | `roll` | many accounts and aliases at once: all or none |
//! | `choice`, `chosen` | whose mail an account takes, as its owner chose |
//! | `listed` | accounts and devices as they are listed |
//! | `resolve`, `route`, `expand` | from an address to its targets |
//! | `login`, `password` | from a login to an account |
//! | `kept` | which kinds of secrets anybody has |
//! | `strength` | which new passwords are too weak |
//! | `turns` | whose password is checked next |
//! | `watch`, `cache` | what is remembered, and until when |
//! | `key` | the server key and the sealing of device secrets |
//! | [`rotation`], [`backup`] | another server key; the accounts apart from a server |
//! | `name`, `known` | how names are written, and the one form of a login |
//! | `store` | the database; all SQL is in `store/sqlite` |

mod account;
mod alias;
pub mod backup;
mod cache;
mod choice;
mod chosen;
mod device;
mod error;
mod expand;
mod kept;
mod key;
mod known;
mod listed;
mod login;
mod name;
mod password;
mod resolve;
mod roll;
pub mod rotation;
mod route;
mod store;
mod strength;
mod turns;
mod used;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use crate::key::Sealer;
use crate::login::Logins;
use crate::password::Hasher;
use crate::resolve::Routes;
use crate::store::Store;
use crate::watch::{Generations, Watch};

pub use account::{Change, NewAccount, NewPassword};
pub use alias::{Alias, Domain, Switch};
pub use choice::{Chosen, SentBy, Willing};
pub use chosen::{CHOICES_MAX, ChoiceChange, Choices, Others};
pub use device::{DeviceSecret, SECRET_CHARACTERS};
pub use error::{AliasFault, DirectoryError, OpenError, Way};
pub use kept::SecretsKept;
pub use key::{KEY_OCTETS, ServerKey};
pub use known::KnownLogin;
pub use listed::{Account, Device, DeviceLimits, LastUse, PasswordKind, RecipientScope};
pub use login::{AuthOutcome, Credential, EndedRights, Identity, RightsMark, SecretUse, SecretsOutcome, Why};
pub use name::Percent;
pub use password::PasswordTerms;
pub use roll::{AccountRoll, RollTerms, Rolled, changes_of};
pub use route::{ALIAS_DEPTH_MAX, ALIAS_WIDTH_MAX, Hosting, Resolution, Target};
pub use strength::Weakness;
pub use turns::Client;

/// What the configuration says of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The domain of logins and addresses written without one; empty: they are nobody's.
    pub default_domain: String,
    /// What stands before the detail in `user+detail`; `None`: there are no details.
    pub detail_delimiter: Option<char>,
    /// The address that takes the mail of `postmaster` in each domain without one of its own.
    pub postmaster: Option<String>,
    /// What a percent sign in a login does.
    pub percent: Percent,
    /// What checking and making passwords may cost.
    pub passwords: PasswordTerms,
    /// Characters that a new password has at least; none that is easy to guess is taken then. `None`: all are.
    pub password_chars_min: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        let passwords = PasswordTerms::default();
        let percent = Percent::Stays;
        Self {
            default_domain: String::new(),
            detail_delimiter: Some('+'),
            postmaster: None,
            percent,
            passwords,
            password_chars_min: None,
        }
    }
}

impl Settings {
    /// The name that a login is kept under, for those who have no open directory; `None`: it can be nobody's.
    pub fn in_full(&self, written: &str) -> Option<String> {
        self.login(written)
    }

    /// The name that a login is kept under.
    fn login(&self, written: &str) -> Option<String> {
        name::login(written, &self.default_domain, self.percent)
    }

    fn checked(mut self) -> Result<Self, DirectoryError> {
        if !self.default_domain.is_empty() {
            self.default_domain = name::domain(&self.default_domain)?;
        }
        if let Some(sign) =
            self.detail_delimiter.filter(|sign| !sign.is_ascii_punctuation() || "@.\"<>".contains(*sign))
        {
            let why = "one ASCII sign such as + or - is wanted";
            return Err(DirectoryError::invalid("detail delimiter", &sign.to_string(), why));
        }
        if let Some(postmaster) = &self.postmaster {
            let (local, domain) = name::address(postmaster, &self.default_domain)?;
            self.postmaster = Some(format!("{local}@{domain}"));
        }
        Ok(self)
    }
}

/// The open directory. Share it in an `Arc`; its watch ends when it is dropped.
pub struct Directory {
    store: Arc<Store>,
    settings: ArcSwap<Settings>,
    sealer: Sealer,
    hasher: Hasher,
    generations: Arc<Generations>,
    routes: Routes,
    lists: choice::Lists,
    logins: Logins,
    uses: used::Uses,
    kept: kept::Kept,
    watch: Watch,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("settings", &self.settings.load()).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the database, or makes it, and starts the watch for other processes' changes. A database whose secrets were
    /// sealed with another key is refused.
    pub async fn open(path: &Path, key: &ServerKey, settings: Settings) -> Result<Self, OpenError> {
        let settings = settings.checked()?;
        let store = Arc::new(Store::open(path, key).await?);
        let no_crypto = || DirectoryError::unavailable("opening the directory", "no cryptography");
        let sealer = Sealer::new(key).ok_or_else(no_crypto)?;
        let hasher = Hasher::new(settings.passwords)
            .map_err(|source| DirectoryError::unavailable("opening the directory", source))?;
        let generations = Arc::new(Generations::default());
        let watch = Watch::start(Arc::clone(&store), Arc::clone(&generations)).await?;
        Ok(Self {
            store,
            settings: ArcSwap::from_pointee(settings),
            sealer,
            hasher,
            generations,
            routes: Routes::new(),
            lists: choice::Lists::new(),
            logins: Logins::new(),
            uses: used::Uses::default(),
            kept: kept::Kept::default(),
            watch,
        })
    }

    /// Takes a new configuration over; on an error the old one stays.
    pub fn set_settings(&self, settings: Settings) -> Result<(), DirectoryError> {
        let settings = settings.checked()?;
        self.hasher.set_terms(settings.passwords);
        self.settings.store(Arc::new(settings));
        self.generations.changed();
        Ok(())
    }

    /// What the directory goes by now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Ends the watch and closes the database once its running statements are done and the last uses of devices are written.
    pub async fn close(&self) {
        if let Err(error) = self.keep_last_uses().await {
            tracing::warn!(%error, note = "the last minute's", "uses unwritten");
        }
        self.watch.stop();
        self.store.close().await;
    }

    /// The name a login is kept under. It need not exist.
    pub fn known_login(&self, written: &str) -> Result<KnownLogin, DirectoryError> {
        let login = self.settings.load().login(written).map(KnownLogin::new);
        login.ok_or_else(|| DirectoryError::invalid("login", written, "user@domain is wanted"))
    }

    /// The same for what a stranger wrote: under this name guesses are counted and decoys made. What can be nobody's login
    /// stands for itself, in lower case and cut off where no login is longer.
    pub fn tried_login(&self, written: &str) -> KnownLogin {
        let own = || written.chars().take(name::NAME_OCTETS_MAX).collect::<String>().to_ascii_lowercase();
        self.known_login(written).unwrap_or_else(|_| KnownLogin::new(own()))
    }
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
