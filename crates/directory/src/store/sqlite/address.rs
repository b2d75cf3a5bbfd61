//! SQL of domains and of the addresses of accounts. A change by which other mail would reach nobody is refused.

use super::Store;
use super::fault::{Result, found, hosted_or, is_foreign_key, taken, unavailable};
use super::sound::{Sound, not_an_alias};
use crate::Settings;
use crate::alias::Switch;
use crate::error::DirectoryError;
use crate::store::{CatchAll, NewDomain};

impl Store {
    pub(crate) async fn add_domain(&self, domain: &str) -> Result<()> {
        const ADD: &str = "insert into domain (domain) values (?1)";
        let taken = taken("domain", domain, "adding a domain");
        sqlx::query(ADD).bind(domain).execute(&self.writer).await.map_err(taken)?;
        Ok(())
    }

    pub(crate) async fn remove_domain(&self, domain: &str) -> Result<()> {
        const REMOVE: &str = "delete from domain where domain = ?1";
        let done = sqlx::query(REMOVE).bind(domain).execute(&self.writer).await.map_err(|source| {
            if is_foreign_key(&source) {
                return DirectoryError::InUse { domain: domain.to_owned() };
            }
            DirectoryError::unavailable("removing a domain", source)
        })?;
        found(done.rows_affected(), "domain", domain)
    }

    /// Switches a domain off or on.
    pub(crate) async fn switch_domain(&self, domain: &str, switch: Switch) -> Result<()> {
        const SWITCH: &str = "update domain set is_off = ?2 where domain = ?1";
        let query = sqlx::query(SWITCH).bind(domain).bind(switch == Switch::Off);
        let done = query.execute(&self.writer).await.map_err(unavailable("switching a domain"))?;
        found(done.rows_affected(), "domain", domain)
    }

    /// Says who takes what nobody else in the domain takes; with [`NewDomain::Made`] the domain is made if it is not there.
    pub(crate) async fn set_catch_all(&self, domain: &str, taker: CatchAll<'_>, settings: &Settings) -> Result<()> {
        const MAKE: &str = "insert into domain (domain) values (?1) on conflict do nothing";
        const SET: &str = "update domain set catch_all = ?2 where domain = ?1";
        let op = "setting a catch-all";
        let mut transaction = self.begin(op).await?;
        if taker.new_domain == NewDomain::Made {
            sqlx::query(MAKE).bind(domain).execute(&mut *transaction).await.map_err(unavailable(op))?;
        }
        let done = sqlx::query(SET).bind(domain).bind(taker.address).execute(&mut *transaction).await;
        found(done.map_err(unavailable(op))?.rows_affected(), "domain", domain)?;
        if let Some(taker) = taker.address {
            Sound::begin(&mut transaction, settings).await?.catch_all(domain, taker).await?;
        }
        transaction.commit().await.map_err(unavailable(op))
    }

    /// An address that an alias has stays the alias's: mail for it would never come into the mailbox.
    pub(crate) async fn add_address(&self, login: &str, address: &str) -> Result<()> {
        const ADD: &str = "insert into address (address, domain, account_id)
            select ?2, ?3, account_id from account where login = ?1";
        let op = "adding an address";
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut transaction = self.begin(op).await?;
        not_an_alias(&mut transaction, &[address]).await?;
        let query = sqlx::query(ADD).bind(login).bind(address).bind(domain);
        let done = query.execute(&mut *transaction).await.map_err(hosted_or("address", address, op))?;
        found(done.rows_affected(), "account", login)?;
        transaction.commit().await.map_err(unavailable(op))
    }

    /// The address that is the login itself stays, and so does one that is all that an alias leads to.
    pub(crate) async fn remove_address(&self, address: &str, settings: &Settings) -> Result<()> {
        const REMOVE: &str = "delete from address where address = ?1
            and not exists (select 1 from account where login = ?1)";
        let op = "removing an address";
        let mut transaction = self.begin(op).await?;
        let leading = Sound::begin(&mut transaction, settings).await?.leading_to(&[address.to_owned()]).await?;
        let done = sqlx::query(REMOVE).bind(address).execute(&mut *transaction).await;
        found(done.map_err(unavailable(op))?.rows_affected(), "address", address)?;
        Sound::begin(&mut transaction, settings).await?.still_lead(&leading, address).await?;
        transaction.commit().await.map_err(unavailable(op))
    }

    pub(crate) async fn addresses(&self, login: &str) -> Result<Vec<String>> {
        const ADDRESSES: &str = "select address from address join account using (account_id)
            where login = ?1 order by address";
        let query = sqlx::query_scalar(ADDRESSES).bind(login);
        query.fetch_all(&self.reader).await.map_err(unavailable("reading addresses"))
    }
}
