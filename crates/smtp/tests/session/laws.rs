//! What holds for any input: splits do not matter, nothing comes after the end, an idle session is small, and a message
//! has just the proofs that were given in its own transaction (T12, asserted by the scripted caller).

use std::mem::size_of;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use smtp::server::{Input, Session};

use crate::scripted::{Scripted, Setting};

const COMMANDS: &[&str] = &[
    "EHLO client.example",
    "HELO bad.example",
    "MAIL FROM:<a@client.example>",
    "MAIL FROM:<later@client.example>",
    "MAIL FROM:<> SIZE=100 BODY=8BITMIME",
    "RCPT TO:<b@local.example>",
    "RCPT TO:<c@local.example> NOTIFY=NEVER",
    "RCPT TO:<d@elsewhere.example>",
    "RSET",
    "NOOP",
    "VRFY a",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==",
    "AUTH PLAIN AGFsaWNlAHdyb25n",
    "AUTH LOGIN",
    "YWxpY2U=",
    "c2VjcmV0",
    "*",
    "XCLIENT ADDR=198.51.100.1",
    "BDAT 0 LAST",
    "BDAT 3\r\nabc",
    "BDAT 7 LAST\r\nabc\r\nde",
    "BDAT 4\r\nab\nc",
    "",
    "?",
];

/// Commands that may come together; then perhaps DATA with a text, well ended or not.
fn group() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let commands = vec(select(COMMANDS), 0..8)
        .prop_map(|lines| lines.iter().flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes());
    let text = vec(select(&b"\r\n.\0ab"[..]), 0..20);
    let good = Just(b"Subject: a\r\n\r\nb\r\n..\r\n.\r\n".to_vec());
    let body = prop_oneof![Just(Vec::new()), text, good.clone(), good];
    (commands, any::<bool>(), body).prop_map(|(mut commands, data, text)| {
        if data {
            commands.extend(b"DATA\r\n");
        }
        vec![commands, text]
    })
}

fn setting() -> impl Strategy<Value = Setting> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(tls, xclient, disk_full)| {
        let mut setting = Setting { disk_full, ..Setting::default() };
        setting.set("tls", if tls { "yes" } else { "no" });
        setting.set("xclient", if xclient { "yes" } else { "no" });
        setting
    })
}

fn run(setting: Setting, groups: &[Vec<Vec<u8>>], piece: usize) -> Vec<String> {
    let mut scripted = Scripted::start(setting);
    for part in groups.iter().flatten() {
        for piece in part.chunks(piece) {
            scripted.send(piece);
        }
    }
    scripted.lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_split_of_the_input_gives_the_same_outputs(
        setting in setting(),
        groups in vec(group(), 1..6),
        piece in 1usize..40,
    ) {
        let whole = run(setting.clone(), &groups, usize::MAX);
        prop_assert_eq!(run(setting, &groups, piece), whole);
    }

    #[test]
    fn any_octets_in_any_state_end_in_order(
        setting in setting(),
        groups in vec(group(), 0..4),
        hostile in vec(prop_oneof![any::<u8>(), select(&b"\r\n \0<>@:="[..])], 0..200),
    ) {
        let mut scripted = Scripted::start(setting);
        for part in groups.iter().flatten() {
            scripted.send(part);
        }
        scripted.send(&hostile);
        scripted.input(Input::PeerGone);
        let closes = scripted.lines.iter().filter(|line| *line == "E: close").count();
        prop_assert_eq!(closes, 1);
        prop_assert_eq!(scripted.lines.last().map(String::as_str), Some("E: close"));
    }
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session<String>>() <= 512, "{}", size_of::<Session<String>>());
}
