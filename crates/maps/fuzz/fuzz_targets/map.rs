//! Any file is taken or refused with places in it; what is taken can be asked anything.
#![no_main]

use std::net::IpAddr;

use maps::{Kind, Subject, Table, Tag};
use libfuzzer_sys::fuzz_target;

/// The first octet says the kind, the last line is the key.
fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let rest = &rest[..rest.len().min(4096)];
    let kinds: Vec<Kind> = Kind::all().collect();
    let kind = kinds[usize::from(*first) % kinds.len()];
    let cut = rest.iter().rposition(|b| *b == b'\n').unwrap_or(0);
    let (file, key) = rest.split_at(cut);
    let key = String::from_utf8_lossy(&key[..key.len().min(100)]).into_owned();
    let key = key.trim_start_matches('\n');
    let lines = u32::try_from(file.split(|b| *b == b'\n').count()).unwrap();

    match Table::parse_octets(kind, "fuzz", file) {
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(mistake.line >= 1 && mistake.line <= lines && mistake.column >= 1, "{mistake}");
                assert!(!mistake.to_string().contains('\n'), "{mistake}");
            }
        }
        Ok(table) => ask(&table, key),
    }
});

fn ask(table: &Table, key: &str) {
    let addr: IpAddr = key.parse().unwrap_or(IpAddr::from([192, 0, 2, 1]));
    let subjects = [
        Subject::Client { addr, name: Some(key) },
        Subject::Client { addr, name: None },
        Subject::Helo(key),
        Subject::Sender(key),
        Subject::Recipient(key),
        Subject::LocalRecipient(key),
    ];
    let found = table.get(key);
    for found in subjects.iter().filter_map(|subject| table.smtpd(*subject)).chain(found) {
        let _ = maps::value::action(table.kind(), &found.value);
    }
    for subject in subjects {
        let _ = table.tagged(Tag::Connect, subject);
        let _ = table.tagged(Tag::Spam, subject);
        let _ = table.tagged(Tag::ClientRate, subject);
    }
    for warning in table.warnings() {
        assert!(!warning.to_string().contains('\n'), "{warning}");
    }
    assert!(table.relay_entries().count() <= 4096 * 128);
}
