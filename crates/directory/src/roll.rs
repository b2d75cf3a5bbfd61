//! Many accounts or aliases at once, as a table has them: all rows or none. A second run with the same table changes nothing.

use std::collections::HashSet;

use crate::Directory;
use crate::account::{Change, NewAccount, NewPassword, check_name};
use crate::error::DirectoryError;
use crate::listed::{Account, PasswordKind};
use crate::store::{AccountRow, AliasRow};

type Result<T> = std::result::Result<T, DirectoryError>;

/// An account as a table has it.
#[derive(Clone)]
pub struct AccountRoll {
    /// `user@domain`, or `user` in the default domain.
    pub login: String,
    /// What the table says of it. What it says nothing of stays as it is.
    pub changes: Vec<Change>,
    /// The hash of its password, for an account that is made. One that is there keeps its password.
    pub hash: Option<String>,
}

/// The same as it is written: as it is made, and what is changed of it.
pub(crate) struct RollRow {
    pub(crate) account: AccountRow,
    pub(crate) changes: Vec<Change>,
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rolled {
    /// There is a new account, or a new target of an alias.
    Made,
    /// It was there, and is now as the row says.
    Changed,
    /// It was like that already.
    Same,
}

/// How a table is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollTerms {
    /// Makes domains that are not there.
    pub new_domains: bool,
    /// Only says what would be done.
    pub dry_run: bool,
}

impl Directory {
    /// Makes accounts, and changes those that are there, as a table says. With a row that cannot be meant nothing is done. An error of
    /// all of it is one of the database.
    pub async fn roll_accounts(&self, rows: Vec<AccountRoll>, terms: RollTerms) -> Result<Vec<Result<Rolled>>> {
        let (mut meant, mut seen) = (Vec::with_capacity(rows.len()), HashSet::new());
        for row in rows {
            let row = self.roll_row(row).await.and_then(|row| {
                let again = "it stands in the table twice";
                let is_first = seen.insert(row.account.login.clone());
                if is_first { Ok(row) } else { Err(DirectoryError::invalid("login", &row.account.login, again)) }
            });
            meant.push(row);
        }
        let done = self.store.roll_accounts(meant, terms).await;
        self.account_changed().await;
        done
    }

    /// Gives aliases targets, as a table says, which has a row for each target. With a row that cannot be meant nothing is done.
    pub async fn roll_aliases(&self, rows: Vec<(String, String)>, terms: RollTerms) -> Result<Vec<Result<Rolled>>> {
        let mut meant = Vec::with_capacity(rows.len());
        for (address, target) in rows {
            meant.push(self.alias_row(&address, &target).await);
        }
        let done = self.store.roll_aliases(meant, &self.settings(), terms).await;
        self.generations.routing_changed();
        done
    }

    /// The hashes of main passwords, by login.
    pub async fn hashes(&self) -> Result<Vec<(String, String)>> {
        self.store.hashes().await
    }

    async fn roll_row(&self, row: AccountRoll) -> Result<RollRow> {
        for change in &row.changes {
            if let Change::Name(name) = change {
                check_name(name)?;
            }
        }
        let password = row.hash.map_or(NewPassword::None, NewPassword::Hash);
        let account = self.account_row(NewAccount { login: row.login, password, ..NewAccount::default() }).await?;
        Ok(RollRow { account, changes: row.changes })
    }
}

/// Whether an account is otherwise than a change would have it.
pub(crate) fn differs(account: &Account, change: &Change) -> bool {
    match change {
        Change::Lock => !account.locked,
        Change::Unlock => account.locked,
        Change::Passwords(kind) => account.passwords != *kind,
        Change::QuotaOctets(octets) => account.quota_octets != *octets,
        Change::ExpiresAt(time) => account.expires_at != *time,
        Change::Name(name) => account.name != *name,
    }
}

/// The changes that make a new account like this one.
pub fn changes_of(account: &Account) -> Vec<Change> {
    let lock = if account.locked { Change::Lock } else { Change::Unlock };
    let name = Change::Name(account.name.clone());
    let kind: PasswordKind = account.passwords;
    vec![
        lock,
        name,
        Change::Passwords(kind),
        Change::QuotaOctets(account.quota_octets),
        Change::ExpiresAt(account.expires_at),
    ]
}

impl Directory {
    async fn alias_row(&self, address: &str, target: &str) -> Result<AliasRow> {
        let address = self.address(address)?.to_ascii_lowercase();
        let target = self.target(Some(target)).await?.unwrap_or_default();
        Ok(AliasRow { address, target })
    }
}
