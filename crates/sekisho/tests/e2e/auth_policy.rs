//! `auth-policy`: what Dovecot reports becomes a right or counts as a guess.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::asking::Policy;
use crate::support::{Demo, Dialogue, PATIENCE, base64};

const OUTSIDE: &str = "friend@outside.example";

/// Sends octets of HTTP; the status, and the body, which is JSON whatever the status is.
fn http(demo: &Demo, octets: impl AsRef<[u8]>) -> (u16, Value) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, demo.port("auth_policy"))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses early may close before all is sent.
    let _ = stream.write_all(octets.as_ref());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// What Dovecot shows.
fn secret(demo: &Demo) -> String {
    demo.facts["auth_policy_secret"].as_str().unwrap().to_owned()
}

fn post(demo: &Demo, query: &str, body: &str) -> String {
    let proof = format!("Host: guard\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n", secret(demo));
    post_with(&proof, query, body)
}

/// The same with other fields.
fn post_with(fields: &str, query: &str, body: &str) -> String {
    let octets = body.len();
    format!("POST /?{query} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: {octets}\r\n\r\n{body}")
}

/// What Dovecot posts, with `changes` over it; the status in the answer.
fn told(demo: &Demo, command: &str, changes: &Value) -> i64 {
    let mut body = json!({
        "login": "dave@example.test", "pwhash": "0a1", "remote": "192.0.2.7", "device_id": "", "protocol": "pop3",
        "session_id": "s1", "tls": false, "success": true, "policy_reject": false
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (status, answer) = http(demo, post(demo, &format!("command={command}"), &body.to_string()));
    assert_eq!((status, &answer["msg"]), (200, &json!("")), "{answer}");
    answer["status"].as_i64().unwrap()
}

fn rights(demo: &Demo) -> Vec<String> {
    let listed: Value = serde_json::from_str(&demo.ruled(&["grant", "list", "--json"])).unwrap();
    let mut rights: Vec<String> = listed.as_array().unwrap().iter().map(ToString::to_string).collect();
    rights.sort();
    rights
}

#[test]
fn a_login_reported_gives_the_right_in_its_own_name() {
    let demo = Demo::start();
    let mut policy = Policy::connect(&demo);
    assert_eq!(told(&demo, "allow", &json!({"success": null})), 0);
    assert!(policy.rcpt("192.0.2.7", "dave@example.test", OUTSIDE).starts_with("550"), "asking gives nothing");
    assert_eq!(told(&demo, "report", &json!({})), 0);
    assert_eq!(policy.rcpt("192.0.2.7", "dave@example.test", OUTSIDE), "OK");
    assert!(policy.rcpt("192.0.2.7", "bob@example.test", OUTSIDE).starts_with("550"), "in another's name");
    assert!(policy.rcpt("192.0.2.8", "dave@example.test", OUTSIDE).starts_with("550"), "from elsewhere");
    let listed = rights(&demo);
    assert!(listed.len() == 1 && listed[0].contains("auth-policy") && listed[0].contains("dave@example.test"));
    // Without a domain it is one of the default domain; in any case the same.
    told(&demo, "report", &json!({"login": "Erin", "remote": "2001:db8::7", "protocol": "imap"}));
    assert_eq!(policy.rcpt("2001:db8::7", "erin@example.test", OUTSIDE), "OK");
}

#[test]
fn what_gives_no_right() {
    let demo = Demo::start_with(&["relay.drac.loopback=false", "relay.drac.never=[\"192.0.2.250\"]"]);
    let table = [
        json!({"success": false}),
        json!({"success": false, "policy_reject": true}),
        json!({"protocol": "smtp"}),
        json!({"protocol": "sieve"}),
        json!({"protocol": ""}),
        json!({"login": ""}),
        json!({"login": "a b"}),
        json!({"login": "@example.test"}),
        json!({"login": "dave@"}),
        json!({"login": "dave@[192.0.2.9]"}),
        json!({"login": "dave@example.test>"}),
        json!({"login": "@a.example:dave@example.test"}),
        json!({"remote": ""}),
        json!({"remote": "here"}),
        json!({"remote": "127.0.0.1"}),
        json!({"remote": "127.9.9.9"}),
        json!({"remote": "::1"}),
        json!({"remote": "::ffff:127.0.0.1"}),
        json!({"remote": "0.0.0.0"}),
        json!({"remote": "::"}),
        json!({"remote": "255.255.255.255"}),
        json!({"remote": "224.0.0.1"}),
        json!({"remote": "192.0.2.250"}),
    ];
    for changes in table {
        assert_eq!(told(&demo, "report", &changes), 0);
        assert!(rights(&demo).is_empty(), "{changes}");
    }
    demo.logged(&["login_ungranted", "client=127.0.0.1", "told_by=auth-policy"]);
    told(&demo, "report", &json!({}));
    assert_eq!(rights(&demo).len(), 1);
}

#[test]
fn wrong_passwords_elsewhere_count_with_those_here() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=0", "auth.failures_per_client=3"]);
    let (bob, client) = (demo.account("bob"), "127.0.0.66");
    let failed = |hash: &str| told(&demo, "report", &json!({"remote": client, "success": false, "pwhash": hash}));
    let allowed = |changes: &Value| told(&demo, "allow", changes);
    for _ in 0..6 {
        failed("0a1");
    }
    assert_eq!(allowed(&json!({"remote": client})), 0, "a forgotten device tries one password for ever");
    let refused = |hash: &str| {
        let refused = json!({"remote": client, "success": false, "policy_reject": true, "pwhash": hash});
        told(&demo, "report", &refused)
    };
    for hash in ["1", "2", "3", "4"] {
        refused(hash);
    }
    assert_eq!(allowed(&json!({"remote": client})), 0, "what we refused ourselves was no guess");
    for hash in ["0a2", "0a3", "0a4"] {
        failed(hash);
    }
    assert_eq!(allowed(&json!({"remote": client})), -1);
    assert_eq!(allowed(&json!({"remote": client, "login": "somebody@example.test"})), -1, "the address is locked");
    assert_eq!(allowed(&json!({"remote": "127.0.0.67"})), 0);
    let port = demo.port("submissions");
    let mut smtp = Dialogue::connect(Ipv4Addr::new(127, 0, 0, 66), port).start_tls(demo.certificate()).greeted();
    let proof = base64(&format!("\0{}\0{}", bob.login, bob.password));
    assert!(smtp.say(&format!("AUTH PLAIN {proof}")).starts_with("454"), "here too");
}

#[test]
fn a_failure_makes_the_next_login_wait() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=2000"]);
    told(&demo, "report", &json!({"success": false}));
    assert_eq!(told(&demo, "allow", &json!({})), 2, "seconds");
    assert_eq!(told(&demo, "allow", &json!({"remote": "192.0.2.8", "login": "bob@example.test"})), 0);
}

#[test]
fn what_is_no_request() {
    let demo = Demo::start();
    let long = format!("{{\"login\":\"{}\"}}", "x".repeat(20_000));
    let body = r#"{"login":"dave","remote":"192.0.2.7","protocol":"pop3","success":true}"#;
    let table = [
        ("GET /?command=report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 405),
        (post(&demo, "", body), 400),
        (post(&demo, "command=grant", body), 400),
        (post(&demo, "command=report&command=allow", body), 400),
        (post(&demo, "command=report", ""), 400),
        (post(&demo, "command=report", "[]"), 400),
        (post(&demo, "command=report", r#"{"login":"dave","remote":"192.0.2.7","protocol":"pop3"}"#), 400),
        (
            post(
                &demo,
                "command=report",
                r#"{"login":"a","login":"b","remote":"192.0.2.7","protocol":"pop3","success":true}"#,
            ),
            400,
        ),
        (
            post(
                &demo,
                "command=report",
                "{\"login\":\"a\\u0000\",\"remote\":\"192.0.2.7\",\"protocol\":\"pop3\",\"success\":true}",
            ),
            400,
        ),
        (post(&demo, "command=report", &long), 413),
    ];
    for (request, expected) in table {
        let (status, answer) = http(&demo, &request);
        assert_eq!(status, expected, "{request:.200}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert!(rights(&demo).is_empty());
    let (status, _) = http(&demo, post(&demo, "command=report", body));
    assert_eq!((status, rights(&demo).len()), (200, 1), "the next one is served");
}

/// What speaks another protocol is hung up on, and what stands behind its first line is not read, be it a request.
#[test]
fn t50_what_is_not_http_is_hung_up_on() {
    let demo = Demo::start();
    let body = r#"{"login":"dave","remote":"192.0.2.7","protocol":"pop3","success":true}"#;
    let request = post(&demo, "command=report", body);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice();
    for opening in
        [b"EHLO client.example\r\n".as_slice(), b"SSH-2.0-client\r\n", b"VERSION\t1\t2\n", b"\0\0\0\x01\r\n", hello]
    {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, demo.port("auth_policy"))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(&[opening, request.as_bytes()].concat());
        let mut answer = Vec::new();
        // An end, in order or not; a time-out would be neither.
        let ended = stream.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(ended.is_ok() || ended == Err(std::io::ErrorKind::ConnectionReset), "{ended:?}");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{}: {answer}", opening.escape_ascii());
        assert_eq!(answer.matches("HTTP/1.1").count(), usize::from(!answer.is_empty()), "one answer at most: {answer}");
    }
    assert!(rights(&demo).is_empty());
}

/// Whoever makes a program of this host post to the port tells nothing, whatever he makes it say.
#[test]
fn t50_a_cross_site_form_is_not_believed() {
    let demo = Demo::start();
    let body = r#"{"login":"dave@example.test","remote":"192.0.2.7","protocol":"pop3","success":true}"#;
    let (key, json) = (format!("X-API-Key: {}\r\n", secret(&demo)), "Content-Type: application/json\r\n");
    let table = [
        ("Host: guard\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\n".to_owned(), 403),
        (format!("Host: guard\r\n{json}"), 401),
        (format!("Host: guard\r\n{json}X-API-Key: 0123456789abcdef\r\n"), 401),
        (format!("Host: guard\r\n{key}Content-Type: text/plain\r\n"), 415),
        (format!("Host: guard\r\n{key}{json}Origin: http://evil.example\r\n"), 403),
        (format!("Host: guard\r\n{key}{json}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("Host: evil.example\r\n{key}{json}"), 421),
    ];
    for (fields, expected) in table {
        let (status, answer) = http(&demo, post_with(&fields, "command=report", body));
        assert_eq!(status, expected, "{fields}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert!(rights(&demo).is_empty());
    let (status, _) = http(&demo, post(&demo, "command=report", body));
    assert_eq!((status, rights(&demo).len()), (200, 1));
}

/// A right key whose file others may read by now stays in force, and the operator is told; a start with it is refused.
#[test]
fn secrets_that_others_may_read_are_not_loaded() {
    let demo = Demo::start();
    let body = r#"{"login":"dave@example.test","remote":"192.0.2.7","protocol":"pop3","success":true}"#;
    for name in ["auth-policy-secret", "key.pem"] {
        let file = demo.dir().join(name);
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let checked = demo.sekisho(&["config", "check"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(!checked.status.success() && said.contains(name) && said.contains("permissions"), "{said}");
        demo.ruled(&["reload"]);
        demo.logged(&["secret_exposed", name]);
        let (status, _) = http(&demo, post(&demo, "command=report", body));
        assert_eq!(status, 200);
        demo.under_tls("submission");
        let any = ["--set", "tls.permissions=\"any\"", "--set", "listener.auth_policy.permissions=\"any\""];
        demo.ruled(&[any.as_slice(), &["config", "check"]].concat());
        mode(0o600);
    }
    demo.ruled(&["config", "check"]);
}

/// A login that another server took says nothing about an account that we have locked, nor about addresses of others.
#[test]
fn our_own_accounts_are_ours_to_judge() {
    let demo = Demo::start();
    let mut policy = Policy::connect(&demo);
    demo.ruled(&["user", "lock", "bob"]);
    demo.ruled(&["alias", "add", "sales@example.test", "alice@example.test"]);
    assert_eq!(told(&demo, "allow", &json!({"login": "bob@example.test", "success": null})), -1);
    for login in ["bob@example.test", "sales@example.test", "ceo@victim-bank.example"] {
        told(&demo, "report", &json!({"login": login, "remote": "192.0.2.20"}));
        let answer = policy.rcpt("192.0.2.20", login, OUTSIDE);
        assert!(answer.starts_with("550"), "{login}: {answer}");
    }
}

/// A connection that is older than the configuration tells nothing any more.
#[test]
fn peers_that_a_reload_takes_away_are_not_heard() {
    let demo = Demo::start();
    let mut policy = Policy::connect(&demo);
    assert_eq!(policy.rcpt("192.0.2.7", "x@elsewhere.example", "alice@example.test"), "DUNNO");
    let config = demo.dir().join("sekisho.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("name = \"policy\"\n", "name = \"policy\"\npeers = [\"127.0.0.9\"]\n");
    std::fs::write(&config, text).unwrap();
    demo.ruled(&["reload"]);
    assert_eq!(policy.rcpt("192.0.2.7", "x@elsewhere.example", "alice@example.test"), "", "closed");
}
