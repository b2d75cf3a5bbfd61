//! Sessions as their transcripts, in memory. Each file runs with its groups sent at once and octet by octet.
//!
//! `set: key=value` before the session; `C: …` a line with its CR LF, `C- …` without; lines of `C` that follow each other
//! are one group. `S: …` a line of a reply, `E: …` an event; `[*]` is anything. `D: …` something else happens. In `C`:
//! `\r \n \0 \t \xNN \\` and `{text*times}`. `unsplit` at the start: what matters is that octets come together.
//! `TRANSCRIPT=word cargo test -p smtp --test session` runs those with the word in their name.

use std::fs;
use std::path::Path;
use std::time::Duration;

use smtp::server::Input;

use crate::scripted::{Scripted, Setting};

#[test]
fn all_transcripts() {
    let played = play(&std::env::var("TRANSCRIPT").unwrap_or_default());
    assert!(played > 20 || std::env::var_os("TRANSCRIPT").is_some());
}

/// A test for each trap whose transcripts begin with its number.
macro_rules! traps {
    ($($name:ident)*) => { $(#[test] fn $name() { assert!(play(&stringify!($name)[..4]) > 0); })* };
}

traps! {
    t07_xclient_is_for_listed_peers_and_begins_anew
    t08_paths_that_are_routes
    t12_proofs_live_in_their_transaction
    t15_auth_failures_end_the_session
    t16_auth_not_offered_counts
    t25_no_other_line_end_than_cr_lf
    t26_nothing_before_tls_counts_under_it
    t44_invalid_base64_ends_only_the_exchange
    t50_what_opens_like_another_protocol_is_hung_up_on
}

/// Plays the transcripts with `only` in their name; how many those are.
fn play(only: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(only)));
    files.sort();
    let count = files.len();
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        run(&format!("{name}, groups at once"), &text, usize::MAX);
        if !text.lines().any(|line| line == "unsplit") {
            run(&format!("{name}, octet by octet"), &text, 1);
            run(&format!("{name}, by seven"), &text, 7);
        }
    }
    count
}

/// Sends, tells and compares, line by line.
fn run(name: &str, text: &str, piece: usize) {
    let mut setting = Setting::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("set: ")) {
        let (key, value) = line.split_once('=').expect("key=value");
        setting.set(key, value);
    }
    let mut scripted = Scripted::start(setting);
    let mut group = Vec::new();
    let mut expected = Vec::new();
    for line in text.lines() {
        match line.split_at_checked(3) {
            Some(("C: ", line)) => group.extend([unescape(line), b"\r\n".to_vec()].concat()),
            Some(("C- ", line)) => group.extend(unescape(line)),
            Some(("S: " | "E: ", _)) => {
                flush(&mut scripted, &mut group, piece);
                expected.push(line.to_owned());
            }
            Some(("D: ", what)) => {
                flush(&mut scripted, &mut group, piece);
                happen(&mut scripted, what);
            }
            _ => {}
        }
    }
    flush(&mut scripted, &mut group, piece);
    let same = expected.len() == scripted.lines.len()
        && expected.iter().zip(&scripted.lines).all(|(expected, line)| matches(expected, line));
    assert!(same, "{name}\nexpected:\n{}\n\ncame:\n{}\n", expected.join("\n"), scripted.lines.join("\n"));
}

fn flush(scripted: &mut Scripted, group: &mut Vec<u8>, piece: usize) {
    for piece in std::mem::take(group).chunks(piece) {
        scripted.send(piece);
    }
}

fn happen(scripted: &mut Scripted, what: &str) {
    match what.split_once(' ').unwrap_or((what, "")) {
        ("tls", _) => scripted.input(Input::TlsUp),
        ("gone", _) => scripted.input(Input::PeerGone),
        ("shutdown", _) => scripted.input(Input::Shutdown),
        ("cut", _) => scripted.input(Input::Cut),
        ("wait", secs) => scripted.wait(Duration::from_secs(secs.parse().expect("seconds"))),
        _ => unreachable!("D: {what}"),
    }
}

fn matches(expected: &str, line: &str) -> bool {
    match expected.split_once("[*]") {
        Some((head, tail)) => line.len() >= head.len() + tail.len() && line.starts_with(head) && line.ends_with(tail),
        None => line == expected,
    }
}

fn unescape(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(rest, &mut out),
            '{' => {
                let (inner, after) = rest.split_once('}').expect("a closing brace");
                let (text, times) = inner.rsplit_once('*').expect("text*times");
                out.extend(unescape(text).repeat(times.parse().expect("a number")));
                rest = after;
            }
            c => out.extend(c.to_string().into_bytes()),
        }
    }
    out
}

fn escape<'a>(rest: &'a str, out: &mut Vec<u8>) -> &'a str {
    let (kind, after) = rest.split_at(1);
    match kind {
        "r" => out.push(b'\r'),
        "n" => out.push(b'\n'),
        "t" => out.push(b'\t'),
        "0" => out.push(0),
        "\\" => out.push(b'\\'),
        "x" => {
            out.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
            return &after[2..];
        }
        _ => unreachable!("\\{kind}"),
    }
    after
}
