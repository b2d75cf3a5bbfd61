//! `sekisho top`: what it shows is what happened, and the terminal is given back.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::records::id;
use crate::support::{Demo, Dialogue, message};

const BOB: &str = "bob@example.test";

#[test]
fn a_picture_shows_what_happened() {
    let demo = Demo::start_with(&[]);
    let mut stranger = Dialogue::connect(Ipv4Addr::new(127, 0, 1, 5), demo.port("smtp")).greeted();
    let denied = stranger.rcpt("x@outside.example", "x@elsewhere.example");
    let alice = demo.account("alice");
    let mut mail = demo.submission(&alice);
    assert!(mail.mail(&alice.address, BOB, message(&alice.address, BOB, "counted")).starts_with("250"));
    demo.until_drained();

    let english = demo.ruled(&["top", "--once", "--interval", "1", "--lang", "en"]);
    let japanese = demo.ruled(&["top", "--once", "--interval", "1", "--lang", "ja"]);
    for told in [&english, &japanese] {
        for words in [id(&denied), "relay-denied", "submission", &alice.address, "127.0.1.5", "mail.example.test"] {
            assert!(told.contains(words), "{words}\n{told}");
        }
        assert!(!told.contains('\u{1b}'), "a picture as text has no codes of a terminal: {told:?}");
    }
    assert!(english.contains("mail of own users") && japanese.contains("ユーザーのメール"), "{english}{japanese}");

    let activity: Value = serde_json::from_str(&demo.ruled(&["top", "--json"])).unwrap();
    let count = |of: &str, name: &str| {
        let counters = activity[of].as_array().unwrap_or_else(|| panic!("{of}: {activity}"));
        counters.iter().find(|it| it["name"] == name).and_then(|it| it["count"].as_u64())
    };
    assert_eq!((activity["messages_trusted"].as_u64(), activity["messages_outside"].as_u64()), (Some(1), Some(0)));
    assert_eq!((count("refusals", "relay-denied"), count("logins", "proved")), (Some(1), Some(1)), "{activity}");
    assert_eq!((count("deliveries", "delivered"), &activity["queue"]["messages"]), (Some(1), &Value::from(0)));

    // Without a terminal it does not draw into a file, and says what to do.
    let blind = demo.sekisho(&["top"]);
    let said = String::from_utf8_lossy(&blind.stderr);
    assert!(blind.status.code() == Some(2) && said.contains("--once") && blind.stdout.is_empty(), "{said}");
    assert_eq!(demo.sekisho(&["top", "--interval", "0"]).status.code(), Some(2));
}

/// In a terminal of its own, which `script` makes: it fills the screen, goes on after the server was started anew, and leaves the screen
/// and the cursor as they were.
#[test]
fn the_terminal_is_given_back() {
    let mut demo = Demo::start_with(&[]);
    let (sekisho, config) = (env!("CARGO_BIN_EXE_sekisho"), demo.facts["config"].as_str().unwrap());
    let command = format!("stty columns 110 rows 40; exec '{sekisho}' -c '{config}' top --interval 1 --lang en");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm-256color");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (shown, seen) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 8_192];
        while let Ok(octets @ 1..) = screen.read(&mut buffer) {
            let _ = shown.send(buffer[..octets].to_vec());
        }
    });
    let mut all = Vec::new();
    let mut until = |demo: &Demo, words: &str| {
        demo.until(words, || {
            all.extend(seen.try_iter().flatten());
            let text = String::from_utf8_lossy(&all).into_owned();
            text.contains(words).then(|| all.clear())
        });
    };
    until(&demo, "LISTENERS");
    demo.kill_9();
    until(&demo, "does not answer");
    demo.restart();
    // Only what differs is written: of "no alarm" the r stood there before.
    until(&demo, "no ala");
    keys.write_all(b"p").unwrap();
    until(&demo, "STANDS");
    keys.write_all(b"q").unwrap();
    assert!(child.wait().unwrap().success());
    reader.join().unwrap();
    let rest: Vec<u8> = all.into_iter().chain(seen.try_iter().flatten()).collect();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.contains("\u{1b}[?1049l") && rest.contains("\u{1b}[?25h"), "screen and cursor: {rest:?}");
}
