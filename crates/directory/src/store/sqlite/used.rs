//! SQL of when devices were used last.

use std::net::{IpAddr, Ipv4Addr};

use super::Store;
use super::fault::{Result, unavailable};
use super::value::{from_column, to_column};
use crate::listed::LastUse;

impl Store {
    /// Notes the last uses of many devices, together. A device that is gone has none.
    pub(crate) async fn write_uses(&self, uses: &[LastUse]) -> Result<()> {
        const WRITE: &str = "insert into device_use (device_id, used_at, used_from)
            select device_id, ?2, ?3 from device where login = ?1
            on conflict (device_id) do update set used_at = excluded.used_at, used_from = excluded.used_from";
        let op = "writing when devices were used";
        let mut transaction = self.begin(op).await?;
        for LastUse { login, at, from } in uses {
            let query = sqlx::query(WRITE).bind(&**login).bind(to_column(*at)).bind(from.to_string());
            query.execute(&mut *transaction).await.map_err(unavailable(op))?;
        }
        transaction.commit().await.map_err(unavailable(op))
    }

    /// The last uses of the devices of an account or of all.
    pub(crate) async fn uses(&self, account: Option<&str>) -> Result<Vec<LastUse>> {
        const USES: &str = "select device.login, used_at, used_from from device_use join device using (device_id)
            join account using (account_id) where ?1 is null or account.login = ?1";
        let op = "reading when devices were used";
        let query = sqlx::query_as(USES).bind(account);
        let rows: Vec<(String, i64, String)> = query.fetch_all(&self.reader).await.map_err(unavailable(op))?;
        let used = rows.into_iter().map(|(login, at, from)| LastUse {
            login: login.into(),
            at: from_column(at),
            from: from.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        });
        Ok(used.collect())
    }
}
