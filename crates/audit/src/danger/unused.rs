//! Rights that nobody uses: each is one that a stranger might.

use super::{Finding, Level};
use crate::rows::{Rows, Use};
use crate::text::Place;

/// Not used for so long, a right is one to take away: 90 days.
const UNUSED_SECS: u64 = 90 * 24 * 3_600;

/// Whether nobody has used a right for so long, as far as it was watched. Before it was watched for so long nothing is said.
pub fn is_unused(used: &Use, now_secs: u64) -> bool {
    let known_from = used.last_secs.or(used.watched_secs);
    known_from.is_some_and(|from| now_secs.saturating_sub(from) >= UNUSED_SECS)
}

pub(super) fn of(rows: &Rows, now_secs: u64) -> Vec<Finding> {
    let networks = rows.networks.iter().map(|it| (&it.network, it.line.clone(), &it.used));
    let names = rows.names.iter().map(|it| (&it.name, it.line.clone(), &it.used));
    let lines = networks.chain(names).filter(|(_, _, used)| is_unused(used, now_secs));
    let mut found: Vec<Finding> = lines
        .map(|(what, line, _)| {
            Finding::new(Level::Warning, "unused", line)
                .en(format!("nobody has relayed by {what} for 90 days"), "remove the entry")
                .ja(format!("{what} による中継は 90 日間ありません"), "その行を削除します")
        })
        .collect();
    for login in rows.logins.iter().filter(|it| it.state == "yes" && is_unused(&it.used, now_secs)) {
        // An account reads mail, too; a device is there to send.
        let level = if login.device.is_some() { Level::Warning } else { Level::Note };
        let what = &login.login;
        found.push(
            Finding::new(level, "unused", None::<Place>)
                .en(
                    format!("nobody has sent by the login {what} for 90 days"),
                    "revoke the device, or lock the account if it is nobody's any more",
                )
                .ja(
                    format!("ログイン {what} による送信は 90 日間ありません"),
                    "機器なら取り消し、使う人のいないアカウントならロックします",
                ),
        );
    }
    found
}
