//! SQL of devices.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::fault::{Result, found, taken, unavailable};
use super::value::{from_column, to_column};
use crate::error::DirectoryError;
use crate::listed::{Device, DeviceLimits, RecipientScope};
use crate::name;
use crate::store::NewDeviceRow;

impl Store {
    /// A revoked device of the same name makes room.
    pub(crate) async fn add_device(&self, new: &NewDeviceRow<'_>) -> Result<()> {
        const MAKE_ROOM: &str = "delete from device where login = ?1 and revoked_at is not null";
        const ADD: &str = "insert into device (account_id, name, login, sealed_secret, scram, networks,
                messages_per_hour, recipients, expires_at, created_at)
            select account_id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 from account where login = ?1";
        let op = "adding a device";
        let networks: Vec<String> = new.limits.networks.iter().map(ToString::to_string).collect();
        let mut transaction = self.begin(op).await?;
        sqlx::query(MAKE_ROOM).bind(new.login).execute(&mut *transaction).await.map_err(unavailable(op))?;
        let query = sqlx::query(ADD)
            .bind(new.account)
            .bind(new.name)
            .bind(new.login)
            .bind(&new.sealed_secret)
            .bind(&new.scram)
            .bind(networks.join(" "))
            .bind(new.limits.messages_per_hour.map(i64::from))
            .bind(new.limits.recipients.as_str())
            .bind(new.limits.expires_at.map(to_column))
            .bind(to_column(new.now));
        let done = query.execute(&mut *transaction).await.map_err(taken("device", new.login, op))?;
        found(done.rows_affected(), "account", new.account)?;
        transaction.commit().await.map_err(unavailable(op))
    }

    pub(crate) async fn devices(&self, account: Option<&str>) -> Result<Vec<Device>> {
        const DEVICES: &str = "select device.name as device_name, device.login as device_login, networks,
                messages_per_hour, recipients, device.expires_at as device_expires_at, revoked_at,
                device.created_at as device_created_at, account.login as account_login
            from device join account using (account_id) where ?1 is null or account.login = ?1
            order by device.login";
        let query = sqlx::query(DEVICES).bind(account);
        let rows = query.fetch_all(&self.reader).await.map_err(unavailable("reading devices"))?;
        rows.iter().map(device).collect()
    }

    pub(crate) async fn revoke_device(&self, login: &str, now: u64) -> Result<()> {
        const REVOKE: &str = "update device set revoked_at = ?2 where login = ?1 and revoked_at is null";
        let done = sqlx::query(REVOKE).bind(login).bind(to_column(now)).execute(&self.writer).await;
        found(done.map_err(unavailable("revoking a device"))?.rows_affected(), "device", login)
    }
}

/// Reads the columns that the device queries have in common. A network that does not parse is an error, never left out:
/// without it the device would be usable from everywhere.
pub(super) fn device(row: &SqliteRow) -> Result<Device> {
    let bad = unavailable("reading a device");
    let time = |name| row.try_get::<Option<i64>, _>(name).map(|value| value.map(from_column));
    let networks: String = row.try_get("networks").map_err(&bad)?;
    let recipients: String = row.try_get("recipients").map_err(&bad)?;
    let messages: Option<i64> = row.try_get("messages_per_hour").map_err(&bad)?;
    let limits = DeviceLimits {
        networks: networks.split_whitespace().map(name::network).collect::<Result<_>>()?,
        messages_per_hour: messages.map(|count| u32::try_from(count).unwrap_or(0)),
        recipients: RecipientScope::parse(&recipients)
            .ok_or_else(|| DirectoryError::unavailable("reading a device", "unknown recipient scope"))?,
        expires_at: time("device_expires_at").map_err(&bad)?,
    };
    Ok(Device {
        account: row.try_get("account_login").map_err(&bad)?,
        name: row.try_get("device_name").map_err(&bad)?,
        login: row.try_get("device_login").map_err(&bad)?,
        limits,
        revoked_at: time("revoked_at").map_err(&bad)?,
        created_at: from_column(row.try_get("device_created_at").map_err(&bad)?),
    })
}
