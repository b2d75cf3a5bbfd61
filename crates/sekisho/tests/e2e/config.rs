//! What is in force in a running server, and what a start would refuse.

use crate::support::{Demo, run_failing};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn what_is_in_force_is_shown() {
    let demo = Demo::start_with(&["limits.hops=41"]);
    let file = demo.dir().join("sekisho.toml");
    let shown = |more: &[&str]| -> Value {
        serde_json::from_str(&demo.ruled(&[&["config", "show", "--json"], more].concat())).unwrap()
    };
    let running = || shown(&["--running"]);
    assert_eq!(running()["limits"]["hops"], 41, "as the server was started");
    assert_ne!(shown(&[])["limits"]["hops"], 41, "the file does not say it");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[auth]\ncache_minutes = 7\n")).unwrap();
    assert_eq!(shown(&[])["auth"]["cache_minutes"], 7);
    assert_ne!(running()["auth"]["cache_minutes"], 7, "not before a reload");
    // What would be believed to be in force and is not.
    for command in [&["reload"][..], &["config", "show", "--running"]] {
        let refused = demo.sekisho(&[command, &["--set", "limits.hops=7"]].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains("--set limits.hops=7 has no effect"), "{said}");
    }
    demo.ruled(&["reload"]);
    assert_eq!((&running()["auth"]["cache_minutes"], &running()["limits"]["hops"]), (&7.into(), &41.into()));
    let toml = demo.ruled(&["config", "show", "--running"]);
    assert!(toml.contains("cache_minutes = 7"), "{toml}");
    // No secret stands in it: their files are named.
    let secret = fs::read_to_string(demo.dir().join("auth-policy-secret")).unwrap();
    assert!(!toml.contains(secret.trim()), "{toml}");
}

#[test]
fn the_status_is_that_of_the_running_server() {
    let demo = Demo::start();
    let session = demo.submission(&demo.account("alice"));
    let status: Value = serde_json::from_str(&demo.ruled(&["status", "--json"])).unwrap();
    assert_eq!((&status["sessions"], &status["sessions_logged_in"]), (&1.into(), &1.into()), "{status}");
    assert_eq!((&status["queue"]["messages"], &status["certificate"]["warnings"]), (&0.into(), &Value::Array(vec![])));
    let open = |key: &str| status[key].as_u64().unwrap();
    assert!(open("open_files") > 10 && open("open_files") < open("open_files_max"), "{status}");
    let listeners = status["listeners"].as_array().unwrap();
    let submission = listeners.iter().find(|it| it["name"] == "submission").unwrap();
    assert_eq!((&submission["connections"], &submission["connections_max"]), (&1.into(), &60_000.into()));
    let text = demo.ruled(&["status"]);
    for part in ["version ", "started ", "1, 1 logged in", "0 messages", "until 4096", "submission "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    drop(session);
    // Without a server there is nothing to tell: exit code 75.
    let mut demo = demo;
    assert!(demo.stop());
    assert_eq!(demo.sekisho(&["status"]).status.code(), Some(75));
}

/// The whole command: all that is wrong at once, exit code 2, and the server does not start either.
#[test]
fn what_serve_refuses_is_found_by_check() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let made = rcgen::generate_simple_self_signed(["mail.example.test".to_owned()]).unwrap();
    write("c.pem", &made.cert.pem(), 0o644);
    write("k.pem", &made.signing_key.serialize_pem(), 0o600);
    write("open.pem", &made.signing_key.serialize_pem(), 0o644);
    write("other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem(), 0o600);
    let mut params = rcgen::CertificateParams::new(["mx.example.test".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    write("old.pem", &params.self_signed(&made.signing_key).unwrap().pem(), 0o644);
    let head = "hostname = \"mail.example.test\"\ndata_dir = \"data\"\n";
    let listener = "[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:2525\"]\n";
    let tls = |certificate: &str, key: &str| {
        let at = |name: &str| at(name).display().to_string();
        format!("{head}{listener}[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", at(certificate), at(key))
    };
    let file = at("sekisho.toml");
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.arg("-c").arg(&file).args(arguments);
        command
    };
    for (text, expected) in [
        (head.to_owned(), &["no [[listener]]"][..]),
        (tls("c.pem", "other.pem"), &["c.pem with key"]),
        (tls("none.pem", "open.pem"), &["none.pem: No such file", "open.pem: mode 0644"]),
        (tls("k.pem", "c.pem"), &["k.pem: no CERTIFICATE"]),
        (
            format!("{head}{listener}{}", listener.replace("mx", "mx2").replace("127.0.0.1", "0.0.0.0")),
            &["127.0.0.1:2525 of listener"],
        ),
    ] {
        fs::write(&file, text).unwrap();
        for arguments in [&["config", "check"][..], &["serve"]] {
            let said = run_failing(&mut command(arguments));
            let all = if arguments.len() == 1 { &expected[..1] } else { expected };
            assert!(all.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
        }
    }
    // What runs all the same is a warning.
    fs::write(&file, tls("old.pem", "k.pem")).unwrap();
    let said = command(&["config", "check", "--json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let warnings = said["warnings"].as_array().unwrap();
    let has = |part: &str| warnings.iter().any(|warning| warning.as_str().unwrap().contains(part));
    assert!(warnings.len() == 2 && has("expired at 2020-01-01") && has("not for the name mail.example.test"), "{said}");
}
