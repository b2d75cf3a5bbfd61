//! What people are told of a backup, and of what was restored.

use std::fmt::Write as _;
use std::path::Path;

use crate::manifest::{Manifest, Part};
use crate::restore::{ConfigPut, Restored};
use crate::target::Target;

use serde_json::{Value, json};

/// Octets as people read them.
fn size(octets: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = octets.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

fn parts(manifest: &Manifest) -> String {
    let mut text = String::new();
    for part in &manifest.parts {
        let line = match part {
            Part::Queue => ("queue", format!("{} messages, each held as `restored`", manifest.messages)),
            Part::State => ("state", "login records, bans, known networks and senders".to_owned()),
            Part::Accounts => ("accounts", "domains, accounts, aliases, devices".to_owned()),
            Part::Lines => ("records", "relayed messages, changes of administrators, last uses".to_owned()),
            Part::Mail => {
                let files = manifest.files.iter().filter(|it| it.name.starts_with("mail/") && it.sha256.is_some());
                ("mail", format!("{} files", files.count()))
            }
            Part::Configuration => ("configuration", manifest.config.clone()),
            Part::Keys => ("keys", "sealed with the passphrase".to_owned()),
        };
        // Writing into a `String` does not fail.
        let _ = writeln!(text, "  {:<14} {}", line.0, line.1);
    }
    text
}

fn left_out(manifest: &Manifest) -> String {
    let unreadable = manifest.unreadable.iter().map(|id| format!("queue message {id}: its file on disk is damaged"));
    let lines: Vec<String> = manifest.left_out.iter().cloned().chain(unreadable).collect();
    if lines.is_empty() { String::new() } else { format!("Not in it:\n  {}\n", lines.join("\n  ")) }
}

/// Of a backup that was made.
pub fn made(manifest: &Manifest, to: &Path) -> String {
    let octets = std::fs::metadata(to).ok().filter(std::fs::Metadata::is_file).map(|there| there.len());
    let octets = size(octets.unwrap_or_else(|| manifest.total_octets()));
    format!("backup: {}, {octets}\nIn it:\n{}{}", to.display(), parts(manifest), left_out(manifest))
        .trim_end()
        .to_owned()
}

/// The same for programs.
pub fn made_json(manifest: &Manifest, to: &Path) -> Value {
    json!({
        "backup": to, "made_at": manifest.made_at, "parts": manifest.parts, "messages": manifest.messages,
        "unreadable": manifest.unreadable, "left_out": manifest.left_out, "files": manifest.files.len(),
    })
}

/// The same as [`restored`], for programs.
pub fn restored_json(restored: &Restored, from: &Path, target: &Target) -> Value {
    let manifest = &restored.manifest;
    json!({
        "restored": from, "made_at": manifest.made_at, "parts": manifest.parts, "messages": manifest.messages,
        "revoked": restored.revoked, "aside": restored.aside, "config": target.config, "start": target.start,
    })
}

/// Of what was restored.
pub fn restored(restored: &Restored, from: &Path, target: &Target) -> String {
    let (config, start) = (&target.config, &target.start);
    let Restored { manifest, revoked, aside, config: put } = restored;
    let Manifest { hostname, made_at, version, .. } = manifest;
    let mut text = format!(
        "restored: {}, made at {made_at} by version {version} on {hostname}\n{}{}",
        from.display(),
        parts(manifest),
        left_out(manifest)
    );
    let mut line = |it: String| {
        text.push_str(&it);
        text.push('\n');
    };
    match put {
        ConfigPut::Written => line(format!("The configuration is {}.", config.display())),
        ConfigPut::Same => line(format!("The configuration {} is the same as in the backup.", config.display())),
        ConfigPut::Beside(path) => line(format!(
            "The configuration {} is another one and stays; the backup's is {}.",
            config.display(),
            path.display()
        )),
    }
    if !manifest.sets.is_empty() {
        line(format!("The backup was made with --set {}.", manifest.sets.join(" --set ")));
    }
    if let Some(aside) = aside {
        line(format!("What was there is now in {}; remove it when you no longer need it.", aside.display()));
    }
    if !revoked.is_empty() {
        line(format!(
            "Revoked, because the key is missing: {}. Give each device a new secret with `sekisho user device add`.",
            revoked.join(", ")
        ));
    }
    line(format!("Start the server: {start}"));
    if manifest.messages > 0 {
        line(
            "The queue is held: nobody can know what was sent after the backup was made. Look at it with `sekisho queue list`, \
             delete what must not go out again, then run `sekisho restore --release-queue`."
                .to_owned(),
        );
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (octets, text) in [(0, "0.0 KiB"), (1_536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")] {
            assert_eq!(size(octets), text);
        }
    }
}
