//! Accounts and devices: passports that have run out, and those without bounds.

use super::{Finding, Level, Seen};
use crate::set::{DeviceBounds, LoginRight, Usable};

pub(super) fn of(seen: &Seen<'_>) -> Vec<Finding> {
    let logins = seen.set.logins.iter().filter(|(_, right)| !right.device.as_ref().is_some_and(|it| it.revoked));
    logins
        .flat_map(|(login, right)| {
            let bounds = right.device.as_ref().map(|device| bounds(login, right, device, seen));
            expired(login, right, seen).into_iter().chain(bounds.into_iter().flatten())
        })
        .collect()
}

fn expired(login: &str, right: &LoginRight, seen: &Seen<'_>) -> Option<Finding> {
    if right.usable(seen.set.now_secs()) != Usable::Expired {
        return None;
    }
    let finding = Finding::new(Level::Warning, "expired", None);
    Some(if right.device.is_some() {
        finding
            .en(
                format!("the passport of device {login} has expired, and the device is refused"),
                format!("sekisho user device revoke {login}, or make it anew"),
            )
            .ja(
                format!("機器 {login} の期限が切れ、拒否されています"),
                format!("sekisho user device revoke {login} で取り消すか、作り直します"),
            )
    } else {
        finding
            .en(
                format!("account {login} has expired, and every login is refused"),
                format!("sekisho user delete {login} if nobody comes back"),
            )
            .ja(
                format!("アカウント {login} の期限が切れ、ログインは拒否されています"),
                format!("もう使わないなら sekisho user delete {login} で削除します"),
            )
    })
}

/// What a passport ought to have.
fn bounds(login: &str, right: &LoginRight, device: &DeviceBounds, seen: &Seen<'_>) -> Vec<Finding> {
    if right.usable(seen.set.now_secs()) != Usable::Yes {
        return Vec::new();
    }
    let (limits, mut found) = (&device.limits, Vec::new());
    if limits.messages_per_hour.is_none() {
        let level = if right.reaches_others() { Level::Warning } else { Level::Note };
        found.push(
            Finding::new(level, "no-rate", None)
                .en(format!("device {login} may send any number of messages"), "make it anew with --messages-per-hour")
                .ja(format!("機器 {login} の送信数に上限がありません"), "--messages-per-hour を付けて作り直します"),
        );
    }
    if limits.networks.is_empty() {
        let level = if right.reaches_others() { Level::Warning } else { Level::Note };
        found.push(
            Finding::new(level, "no-networks", None)
                .en(format!("device {login} may log in from anywhere"), "make it anew with --from NETWORK")
                .ja(format!("機器 {login} はどこからでもログインできます"), "--from NETWORK を付けて作り直します"),
        );
    }
    if limits.expires_at.is_none() {
        found.push(
            Finding::new(Level::Note, "no-expiry", None)
                .en(format!("device {login} never expires"), "make it anew with --days")
                .ja(format!("機器 {login} に期限がありません"), "--days を付けて作り直します"),
        );
    }
    found
}
