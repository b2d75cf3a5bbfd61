//! Looks for the mails that arrived: in a Maildir, where the sink is on this machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::mail::Token;

/// Octets of a mail that are looked at: the token stands in its header.
const HEAD_OCTETS_MAX: u64 = 64 * 1024;
/// Mails of one folder that are looked at.
const MAILS_MAX: usize = 100_000;

/// The numbers of the probes whose mails lie in the Maildir. Mails that were looked at before are not read again: their names are
/// in `seen`.
pub(super) fn look(maildir: &Path, token: &Token, seen: &mut BTreeSet<String>) -> io::Result<Vec<usize>> {
    let mut arrived = Vec::new();
    for folder in ["new", "cur"] {
        for entry in fs::read_dir(maildir.join(folder))?.take(MAILS_MAX) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let unique = name.split_once(':').map_or(name.as_str(), |(unique, _)| unique).to_owned();
            if seen.len() >= MAILS_MAX || !seen.insert(unique) {
                continue;
            }
            if !entry.file_type()?.is_file() {
                continue;
            }
            // Gone meanwhile: its owner took it.
            let Ok(file) = File::open(entry.path()) else { continue };
            let mut head = Vec::new();
            file.take(HEAD_OCTETS_MAX).read_to_end(&mut head)?;
            arrived.extend(token.number(&String::from_utf8_lossy(&head)));
        }
    }
    Ok(arrived)
}
