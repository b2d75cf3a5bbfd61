//! Everything goes out by a smarthost that demands TLS and a login: another demo's submission.

use crate::clients::private_file;
use crate::support::Demo;

const OUTSIDE: &str = "friend@outside.example";

/// The settings of a demo whose smarthost is `other`'s submission listener, as its Alice.
fn by(other: &Demo, password: &str, tls: &str, port: &str) -> [String; 2] {
    let alice = other.account("alice");
    let file = private_file(other.dir(), "smarthost-password", &format!("{password}\n"));
    let smarthost = format!(
        "delivery.smarthost={{host=\"localhost\",port={},tls=\"{tls}\",user=\"{}\",password_file=\"{}\"}}",
        other.port(port),
        alice.login,
        file.display()
    );
    ["delivery.remote=\"smarthost\"".to_owned(), smarthost]
}

fn sends(demo: &Demo, subject: &str) {
    let alice = demo.account("alice");
    let text = format!("Subject: {subject}\r\n\r\n..\r\nx\r\n");
    let answer = demo.submission(&alice).mail(&alice.address, OUTSIDE, text);
    assert!(answer.starts_with("250"), "{answer}");
}

#[test]
fn smarthost_with_tls_and_login() {
    let other = Demo::start();
    let certificate = other.certificate().to_str().unwrap().to_owned();
    for (tls, port) in [("starttls", "submission"), ("implicit", "submissions")] {
        let settings = by(&other, &other.account("alice").password, tls, port);
        let demo = Demo::start_in(&[&settings[0], &settings[1]], &[("SSL_CERT_FILE", &certificate)]);
        let subject = format!("by the smarthost, {tls}");
        sends(&demo, &subject);
        let mail = other.until("the mail at the smarthost", || {
            let log = demo.log();
            let failed = log.lines().find(|line| line.contains("deferred") || line.contains("failed"));
            assert!(failed.is_none(), "{failed:?}");
            other.outside().into_iter().find(|mail| mail.contains(&subject))
        });
        // Both wrote where they had it from; the second one by whom.
        assert_eq!(mail.matches("Received: from ").count(), 2, "{mail}");
        assert!(mail.contains("with ESMTPSA"), "{mail}");
        demo.until_drained();
    }
    let logins = other.log();
    let ways: Vec<&str> = logins.lines().filter_map(|line| line.split("way=").nth(1)).collect();
    assert!(ways.iter().all(|way| way.starts_with("SCRAM-SHA-256")), "the strongest that is offered: {ways:?}");
}

/// Who is not the smarthost that is meant gets neither the password nor the mail.
#[test]
fn smarthost_with_a_wrong_certificate_gets_nothing() {
    let other = Demo::start();
    let settings = by(&other, &other.account("alice").password, "starttls", "submission");
    let demo = Demo::start_with(&[&settings[0], &settings[1]]);
    sends(&demo, "not to go");
    demo.logged(&["deferred", OUTSIDE]);
    assert!(!other.log().contains("way="), "no login was tried: {}", other.log());
    assert!(other.outside().is_empty());
    let stats: serde_json::Value = serde_json::from_str(&demo.ruled(&["queue", "stats", "--json"])).unwrap();
    assert_eq!(stats["messages"], 1, "it waits in the queue");
}

/// A wrong password is not the sender's fault: the mail waits.
#[test]
fn smarthost_that_refuses_the_login_loses_no_mail() {
    let other = Demo::start();
    let certificate = other.certificate().to_str().unwrap().to_owned();
    let settings = by(&other, "wrong", "starttls", "submission");
    let demo = Demo::start_in(&[&settings[0], &settings[1]], &[("SSL_CERT_FILE", &certificate)]);
    sends(&demo, "to wait");
    demo.logged(&["deferred", OUTSIDE]);
    other.logged(&["login", "why="]);
    let stats: serde_json::Value = serde_json::from_str(&demo.ruled(&["queue", "stats", "--json"])).unwrap();
    assert_eq!(stats["messages"], 1);
}
