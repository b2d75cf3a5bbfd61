//! Alarms as operators get them: by webhook, command and mail, in `sekisho status`, and as a number.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::support::{Demo, PATIENCE, message};

/// A webhook that is not well at first; gives what it is posted then.
fn webhook() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, posted) = channel();
    std::thread::spawn(move || {
        for (number, tcp) in listener.incoming().enumerate() {
            let mut tcp = tcp.unwrap();
            let body = request(&mut tcp);
            let status = if number == 0 { "503 Not Now" } else { "204 No Content" };
            let _ = write!(tcp, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if number > 0 && sender.send(serde_json::from_str(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, posted)
}

/// The body of a request.
fn request(tcp: &mut TcpStream) -> String {
    let (mut octets, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = tcp.read(&mut buffer).unwrap();
        octets.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return body.to_owned();
            }
        }
        assert!(count > 0, "{text}");
    }
}

/// What `[metrics]` answers.
fn page(demo: &Demo, path: &str) -> String {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, demo.port("console"))).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut page = String::new();
    tcp.read_to_string(&mut page).unwrap();
    page
}

/// D6: a login that suddenly sends much is named wherever alarms are told, with the commands that cut it and hold its mail, and those
/// do so.
#[test]
fn a_login_that_floods_is_named_with_the_commands_that_cut_it() {
    let ((port, posted), dir) = (webhook(), tempfile::tempdir().unwrap());
    let ran = dir.path().join("ran");
    let hook = format!("alarms.webhook='http://127.0.0.1:{port}/hook'");
    let command = format!("alarms.command=['/bin/sh','-c','env > {}']", ran.display());
    let settings = [&*hook, &command, "alarms.mail=true", "alarms.sender_recipients=10"];
    let mut demo = Demo::start_with(&settings);
    assert!(page(&demo, "/readyz").contains("{\"ready\":true,\"faults\":{}}"));
    assert!(demo.ruled(&["alarm", "list"]).contains("No alarm is in force."));
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mut smtp = demo.submission(&bob);
    // Within the first hour of a server five times as much is allowed.
    for number in 0..50 {
        let text = message(&bob.address, "friend@outside.example", &number.to_string());
        assert!(smtp.mail(&bob.address, "friend@outside.example", text).starts_with("250"));
    }
    let got = posted.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nothing came:\n{}", demo.log()));
    assert_eq!((&got["state"], &got["alarm"]), (&"raised".into(), &"launching-pad".into()), "{got}");
    assert_eq!(got["subject"], format!("login {}", bob.login));
    demo.logged(&["alarm_delayed", "receiver=webhook", "503"]);
    demo.logged(&["alarm_raised", "error", &bob.login, "sekisho user lock"]);
    let text =
        demo.until("the command to run", || fs::read_to_string(&ran).ok().filter(|text| text.contains("SEKISHO_TEXT")));
    assert!(text.contains(&format!("SEKISHO_SUBJECT=login {}", bob.login)), "{text}");
    let mailed = |mail: &String| mail.contains("X-Sekisho-Alarm: launching-pad");
    demo.until("the postmaster's mail", || demo.mailbox("alice").iter().any(mailed).then_some(()));
    assert!(page(&demo, "/metrics").contains("sekisho_alarms{alarm=\"launching-pad\"} 1\n"));
    for arguments in [["status", "--json"], ["alarm", "list"]] {
        let output = demo.sekisho(&arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(&bob.login), "{arguments:?}: {said}");
    }
    // What is delivered is gone; what it has in the queue can be held.
    for command in got["commands"].as_array().unwrap() {
        let words: Vec<&str> = command.as_str().unwrap().split(' ').collect();
        assert_eq!(words[0], "sekisho");
        let done = demo.sekisho(&words[1..]);
        // Locking the account has cut the session already, perhaps.
        let gone = words[1] == "session" && done.status.code() == Some(1);
        assert!(done.status.success() || gone, "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert!(smtp.say("NOOP").starts_with("421") || smtp.reply().is_empty(), "its session is cut");
    let stats: Value = serde_json::from_str(&demo.ruled(&["queue", "stats", "--json"])).unwrap();
    assert_eq!(stats["taken"]["messages"], 50, "{stats}");
    // Within the quiet time nothing more comes of the same, and a test goes out all the same.
    demo.ruled(&["alarm", "test"]);
    assert_eq!(posted.recv_timeout(PATIENCE).unwrap()["alarm"], "test");
    assert_eq!(demo.account("alice").login, alice.login);
    assert!(demo.stop());
    assert_eq!(demo.sekisho(&["status"]).status.code(), Some(75));
}

/// Who found no room is counted, as everybody who is turned away.
#[test]
fn connections_without_room_are_counted() {
    let demo = Demo::start_with(&["listener.smtp.connections_per_client_max=1"]);
    let _held = demo.dial("smtp").greeted();
    let turned = demo.dial("smtp").reply();
    assert!(turned.starts_with("421"), "{turned}");
    let counted = "sekisho_connections_total{listener=\"smtp\",outcome=\"turned-away\"} 1\n";
    let page = page(&demo, "/metrics");
    assert!(page.contains(counted), "{page}");
}
