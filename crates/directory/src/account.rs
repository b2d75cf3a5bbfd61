//! Accounts: made, listed, changed, deleted. The operator's side; nothing here asks for a password's proof but
//! [`Directory::change_password`].

use std::net::IpAddr;

use sasl::scheme;

use crate::error::DirectoryError;
use crate::listed::{Account, PasswordKind};
use crate::store::{AccountRow, Secrets};
use crate::turns::Client;
use crate::{Directory, name, strength};

/// Octets of the name of an account's owner.
const NAME_OCTETS_MAX: usize = 256;

type Result<T> = std::result::Result<T, DirectoryError>;

/// The main password of a new account.
#[derive(Clone, Default)]
pub enum NewPassword {
    /// None: only devices log in, until one is set.
    #[default]
    None,
    /// Hashed with argon2id, SCRAM keys are stored.
    Clear(sasl::SecretBytes),
    /// An existing `{SCHEME}…`; made anew at the first good login.
    Hash(String),
}

/// An account to be made.
#[derive(Clone, Default)]
pub struct NewAccount {
    /// `user@domain`, or `user` in the default domain.
    pub login: String,
    /// The main password.
    pub password: NewPassword,
    /// Octets that the mailbox may hold; `None`: no bound.
    pub quota_octets: Option<u64>,
    /// Which passwords it may log in with.
    pub passwords: PasswordKind,
    /// Seconds since 1970 from which every login is refused.
    pub expires_at: Option<u64>,
    /// Whose it is, for people.
    pub name: String,
}

/// One change of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Every login is refused from now on.
    Lock,
    /// Undoes [`Change::Lock`].
    Unlock,
    /// Which passwords are taken.
    Passwords(PasswordKind),
    /// Octets that the mailbox may hold.
    QuotaOctets(Option<u64>),
    /// Seconds since 1970 from which every login is refused.
    ExpiresAt(Option<u64>),
    /// Whose it is, for people.
    Name(String),
}

impl Directory {
    /// Makes an account with its mailbox's address. The domain must be there.
    pub async fn create_account(&self, new: NewAccount) -> Result<Account> {
        let login = self.import(vec![new]).await?.pop().unwrap_or_default();
        self.account(&login).await
    }

    /// Makes many accounts in one transaction: all or none. Hashes are taken as they are; clear passwords cost an argon2
    /// each. Returns their logins.
    pub async fn import(&self, new: Vec<NewAccount>) -> Result<Vec<String>> {
        let mut rows = Vec::with_capacity(new.len());
        for account in new {
            rows.push(self.account_row(account).await?);
        }
        self.store.add_accounts(&rows).await?;
        self.account_changed().await;
        Ok(rows.into_iter().map(|row| row.login).collect())
    }

    /// Every account, of one domain or of all, by login.
    pub async fn accounts(&self, domain: Option<&str>) -> Result<Vec<Account>> {
        let domain = domain.map(name::domain).transpose()?;
        self.store.accounts(None, domain.as_deref()).await
    }

    /// One account.
    pub async fn account(&self, login: &str) -> Result<Account> {
        let login = self.known_login(login)?;
        let found = self.store.accounts(Some(&login), None).await?.pop();
        found.ok_or_else(|| DirectoryError::not_found("account", &login))
    }

    /// Deletes an account with its addresses and devices; aliases lose it as a target. One that leads nowhere else, or a
    /// catch-all, must be changed first. Its Maildir stays.
    pub async fn delete_account(&self, login: &str) -> Result<()> {
        let done = self.store.delete_account(&self.known_login(login)?, &self.settings()).await;
        self.account_changed().await;
        done
    }

    /// Changes one thing of an account.
    pub async fn change_account(&self, login: &str, change: Change) -> Result<()> {
        self.change_account_in(login, &[change]).await
    }

    /// Changes several things of an account: all or none.
    pub async fn change_account_in(&self, login: &str, changes: &[Change]) -> Result<()> {
        for change in changes {
            if let Change::Name(name) = change {
                check_name(name)?;
            }
        }
        let done = self.store.change_account(&self.known_login(login)?, changes).await;
        self.account_changed().await;
        done
    }

    /// Refuses every login of the account and of its devices from now on.
    pub async fn lock(&self, login: &str) -> Result<()> {
        self.change_account(login, Change::Lock).await
    }

    /// Undoes [`Self::lock`].
    pub async fn unlock(&self, login: &str) -> Result<()> {
        self.change_account(login, Change::Unlock).await
    }

    /// Sets a new main password and its SCRAM keys.
    pub async fn set_password(&self, login: &str, password: &[u8]) -> Result<()> {
        let login = self.known_login(login)?;
        let secrets = self.new_secrets(&login, password).await?;
        self.replace_secrets(&login, &secrets, None).await
    }

    /// Takes an existing hash (`{SHA512-CRYPT}…`) over; its SCRAM keys come with the first good login.
    pub async fn set_hash(&self, login: &str, stored: &str) -> Result<()> {
        let login = self.known_login(login)?;
        check_hash(stored)?;
        let secrets = Secrets { hash: stored.to_owned(), scram: None };
        self.replace_secrets(&login, &secrets, None).await
    }

    /// Changes the main password for one who knows the old one. Locked, expired and APOP-only accounts cannot, a device's
    /// secret does not do. Wrong guesses must be throttled by the caller, as at every login.
    pub async fn change_password(&self, login: &str, old: &[u8], new: &[u8]) -> Result<()> {
        let nowhere = Client::Known(IpAddr::from([0, 0, 0, 0]));
        let Ok(row) = self.check(login, old, nowhere).await? else { return Err(DirectoryError::WrongPassword) };
        let Some(old_hash) = row.hash.as_deref().filter(|_| row.device.is_none()) else {
            return Err(DirectoryError::WrongPassword);
        };
        let secrets = self.new_secrets(&row.login, new).await?;
        match self.replace_secrets(&row.login, &secrets, Some(old_hash)).await {
            // Somebody else changed it meanwhile.
            Err(DirectoryError::NotFound { .. }) => Err(DirectoryError::WrongPassword),
            done => done,
        }
    }

    /// Mail may go elsewhere, and logins are others.
    pub(crate) async fn account_changed(&self) {
        self.generations.routing_changed();
        self.generations.follow_logins(&self.store).await;
    }

    async fn replace_secrets(&self, login: &str, secrets: &Secrets, expected: Option<&str>) -> Result<()> {
        let done = self.store.set_secrets(login, secrets, expected).await;
        self.generations.follow_logins(&self.store).await;
        done
    }

    /// The stored forms of a new password, if it is strong enough.
    async fn new_secrets(&self, login: &str, password: &[u8]) -> Result<Secrets> {
        strength::check(login, password, self.settings.load().password_chars_min)?;
        self.hasher.make(login, password).await
    }

    pub(crate) async fn account_row(&self, new: NewAccount) -> Result<AccountRow> {
        let (local, domain) = name::address(&new.login, &self.settings().default_domain)?;
        let local = local.to_ascii_lowercase();
        let login = format!("{local}@{domain}");
        let secrets = match new.password {
            NewPassword::None => None,
            NewPassword::Clear(password) => Some(self.new_secrets(&login, password.expose()).await?),
            NewPassword::Hash(stored) => {
                check_hash(&stored)?;
                Some(Secrets { hash: stored, scram: None })
            }
        };
        check_name(&new.name)?;
        Ok(AccountRow {
            maildir: name::maildir(&local, &domain),
            login,
            domain,
            secrets,
            quota_octets: new.quota_octets,
            passwords: new.passwords,
            expires_at: new.expires_at,
            name: new.name,
            created_at: crate::unix_secs(),
        })
    }
}

/// What people call themselves, in some hundred characters.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
        return Err(DirectoryError::invalid("name", "", "at most 256 octets without control characters are wanted"));
    }
    Ok(())
}

fn check_hash(stored: &str) -> Result<()> {
    // The hash itself is not repeated: what is wrong with it may be that it is a password.
    scheme::check(stored).map_err(|_| {
        DirectoryError::invalid("password hash", "", "{ARGON2ID}, {SHA512-CRYPT}, {BLF-CRYPT}, {SSHA256} … is wanted")
    })
}
