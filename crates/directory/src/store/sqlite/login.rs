//! SQL of the login path: one statement for all that a login needs.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::device::device;
use super::fault::{Result, unavailable};
use super::value::from_column;
use crate::SecretsKept;
use crate::store::{DeviceRow, LoginRow};

impl Store {
    pub(crate) async fn login(&self, login: &str) -> Result<Option<LoginRow>> {
        const LOGIN: &str = "
            select account.account_id, account.password_version, account.login as account_login, account.maildir, account.quota_octets, account.hash,
                account.scram as account_scram, account.apop_only, account.locked,
                account.expires_at as account_expires_at,
                device.name as device_name, device.login as device_login, device.sealed_secret,
                device.scram as device_scram, device.networks, device.messages_per_hour, device.recipients,
                device.expires_at as device_expires_at, device.revoked_at, device.created_at as device_created_at
            from (select account_id, null as device_id from account where login = ?1
                union all select account_id, device_id from device where login = ?1) as named
            join account on account.account_id = named.account_id
            left join device on device.device_id = named.device_id";
        let op = "reading a login";
        let row = sqlx::query(LOGIN).bind(login).fetch_optional(&self.reader).await.map_err(unavailable(op))?;
        row.as_ref().map(login_row).transpose()
    }

    /// Each is found at the first row that says so.
    pub(crate) async fn secrets_kept(&self) -> Result<SecretsKept> {
        const KEPT: &str = "
            select exists (select 1 from device) as devices,
                exists (select 1 from account where scram is not null) as scram,
                not exists (select 1 from account where not exists (select 1 from device
                    where device.account_id = account.account_id and device.revoked_at is null)) as everywhere";
        let bad = unavailable("reading which secrets there are");
        let row = sqlx::query(KEPT).fetch_one(&self.reader).await.map_err(&bad)?;
        let flag = |name| row.try_get::<i64, _>(name).map(|value| value != 0);
        let devices = flag("devices").map_err(&bad)?;
        let scram = devices || flag("scram").map_err(&bad)?;
        Ok(SecretsKept { scram, devices, devices_everywhere: devices && flag("everywhere").map_err(&bad)? })
    }
}

fn login_row(row: &SqliteRow) -> Result<LoginRow> {
    let bad = unavailable("reading a login");
    let flag = |name| row.try_get::<i64, _>(name).map(|value| value != 0);
    let number = |name| row.try_get::<Option<i64>, _>(name).map(|value| value.map(from_column));
    let text = |name| row.try_get::<String, _>(name).map(Arc::from);
    let is_device = row.try_get::<Option<String>, _>("device_login").map_err(&bad)?.is_some();
    let device = if is_device {
        Some(DeviceRow {
            device: device(row)?,
            sealed_secret: row.try_get("sealed_secret").map_err(&bad)?,
            scram: row.try_get("device_scram").map_err(&bad)?,
        })
    } else {
        None
    };
    Ok(LoginRow {
        account_id: row.try_get("account_id").map_err(&bad)?,
        password_version: row.try_get("password_version").map_err(&bad)?,
        login: text("account_login").map_err(&bad)?,
        maildir: text("maildir").map_err(&bad)?,
        quota_octets: number("quota_octets").map_err(&bad)?,
        hash: row.try_get("hash").map_err(&bad)?,
        scram: row.try_get("account_scram").map_err(&bad)?,
        apop_only: flag("apop_only").map_err(&bad)?,
        locked: flag("locked").map_err(&bad)?,
        expires_at: number("account_expires_at").map_err(&bad)?,
        device,
    })
}
