//! What users do with their own account, by the socket that everybody on the machine may write to.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Account, Demo, base64, run};

fn asked(demo: &Demo, arguments: &[&str], input: &str) -> Output {
    let config = demo.facts["config"].as_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(["-c", config]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(demo: &Demo, arguments: &[&str], input: &str) -> String {
    let output = asked(demo, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(demo: &Demo, code: i32, arguments: &[&str], input: &str) -> String {
    let output = asked(demo, arguments, input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn may_log_in(demo: &Demo, login: &str, password: &str) -> bool {
    let mut smtp = demo.under_tls("submission");
    smtp.say(&format!("AUTH PLAIN {}", base64(&format!("\0{login}\0{password}")))).starts_with("235")
}

/// A demo in which the user who runs this test is alice.
fn with_alice() -> (Demo, Account) {
    let uid = run(Command::new("id").arg("-u"));
    let users = format!("account.users=[{{uid={},login=\"alice\"}}]", uid.trim());
    let demo = Demo::start_with(&[&users, "auth.failure_delay_ms=0"]);
    let alice = demo.account("alice");
    (demo, alice)
}

#[test]
fn the_system_tells_whose_account_it_is() {
    let (demo, alice) = with_alice();
    let shown: Value = serde_json::from_str(&done(&demo, &["account", "show", "--json"], "")).unwrap();
    assert_eq!((&shown["login"], &shown["devices"][0]["name"]), (&alice.login.as_str().into(), &"device".into()));
    let mut session = demo.submission(&alice);
    let said = done(&demo, &["passwd"], "pelican umbrella\n");
    assert!(said.contains(&alice.login), "{said}");
    assert!(may_log_in(&demo, &alice.login, "pelican umbrella"));
    assert!(!may_log_in(&demo, &alice.login, &alice.password));
    assert!(!session.mail(&alice.address, "b@outside.example", "x\r\n").starts_with("250"), "the old session ends");
    demo.logged(&["account_changed", "change=password", &alice.login]);
    for weak in ["password1", "alice@example.test", "short", "qwertyuiop"] {
        refused(&demo, 2, &["passwd"], &format!("{weak}\n"));
    }
    assert!(may_log_in(&demo, &alice.login, "pelican umbrella"));
    done(&demo, &["account", "revoke", "device"], "");
    assert!(!may_log_in(&demo, &alice.device_login, &alice.device_secret));
    assert!(refused(&demo, 1, &["account", "revoke", "device"], "").contains("no device"));
}

#[test]
fn a_lock_and_an_expiry_open_nothing() {
    let (demo, _) = with_alice();
    done(&demo, &["user", "lock", "alice"], "");
    assert!(refused(&demo, 1, &["account", "show"], "").contains("locked"));
    refused(&demo, 1, &["passwd"], "pelican umbrella\n");
    done(&demo, &["user", "unlock", "alice"], "");
    done(&demo, &["user", "set", "alice", "--expires", "2001-01-01"], "");
    assert!(refused(&demo, 1, &["account", "show"], "").contains("expired"));
    done(&demo, &["user", "set", "alice", "--expires", "never", "--quota", "2G", "--name", "Alice"], "");
    let shown = done(&demo, &["account", "show"], "");
    assert!(shown.contains("quota      2G") && shown.contains("name       Alice"), "{shown}");
}

#[test]
fn the_old_password_tells_it_too_and_is_throttled_as_everywhere() {
    let demo = Demo::start_with(&["auth.failures_per_account=3", "auth.failure_delay_ms=0"]);
    let bob = demo.account("bob");
    assert!(refused(&demo, 2, &["passwd"], "x\n").contains("--login"));
    let by_bob = ["passwd", "--login", "bob"];
    done(&demo, &by_bob, &format!("{}\npelican umbrella\n", bob.password));
    assert!(may_log_in(&demo, &bob.login, "pelican umbrella"));
    // A device's secret is no password of the account.
    let device = ["passwd", "--login", &bob.device_login];
    refused(&demo, 1, &device, &format!("{}\nanother umbrella\n", bob.device_secret));
    for guess in ["one", "two", "three"] {
        let said = refused(&demo, 1, &by_bob, &format!("{guess} guess\nanother umbrella\n"));
        assert!(said.contains("wrong login or password"), "{said}");
    }
    demo.logged(&["login_failed", "way=account", "listener=account", "bob"]);
    let said = refused(&demo, 75, &by_bob, "pelican umbrella\nanother umbrella\n");
    assert!(said.contains("too many wrong passwords"), "{said}");
    // Other accounts are as before.
    let alice = demo.account("alice");
    let shown = done(&demo, &["account", "show", "--login", "alice"], &format!("{}\n", alice.password));
    assert!(shown.contains(&alice.login));
}

/// The socket is open to everybody, and answers nothing but questions about the asker's own account.
#[test]
fn the_socket_knows_nothing_else() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::{fs::PermissionsExt as _, net::UnixStream};
    let (demo, _) = with_alice();
    let path = demo.dir().join("account.sock");
    let path = if path.exists() { path } else { demo.dir().join("data/account.sock") };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let asked = |line: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    };
    for line in [
        "GET /v1/accounts HTTP/1.1\r\n\r\n",
        "{}\n",
        "{\"wish\":\"list\"}\n",
        "{\"wish\":\"show\",\"login\":\"bob\"}\n",
        &format!("{}\n", "x".repeat(20_000)),
    ] {
        let answer = asked(line);
        assert!(answer.contains("\"invalid\""), "{answer}");
    }
    let answer = asked("{\"wish\":{\"revoke\":{\"device\":\"bob-device@example.test\"}}}\n");
    assert!(answer.contains("not-found"), "another's device is none of the asker's: {answer}");
    assert!(asked("{\"wish\":\"who\"}\n").contains("alice"));
}
