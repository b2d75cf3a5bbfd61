//! The whole story with sendmail, by socketmap and by the classical file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{ALICE_AT, Sendmail, Setup, pop_login, signal};
use crate::demo::Demo;
use crate::guides::{Promise, Site};
use crate::support::{Folder, OUTSIDE, STRANGER, Server, expiry_from, file_text, story_from};

fn beside(demo: &Demo) -> Sendmail {
    let setup = Setup::with(&["sekisho.m4"]).socketmap(demo.port("socketmap")).inside(demo.port("smtp"));
    Sendmail::start(&setup)
}

/// The guide from nothing: socketmap and milter, and a user of the machine's own in a domain of `local-host-names`.
#[test]
fn t59_the_guide_from_an_empty_configuration() {
    let site = Site::start("sendmail", &["sendmail/sekisho.toml", "dovecot/sekisho.toml"]);
    let mail = Folder::new();
    fs::set_permissions(mail.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let deliver =
        mail.write("deliver", &format!("#!/bin/sh\nfor user; do :; done\ncat >> {}/\"$user\"\n", mail.text()));
    fs::set_permissions(&deliver, fs::Permissions::from_mode(0o755)).unwrap();
    let mut setup = Setup::with(&["sekisho.m4", "sekisho-milter.m4"]).socketmap(site.port(10032));
    setup = setup.milter(site.port(10033), "10s");
    setup.late.push(format!("define(`LOCAL_MAILER_PATH', `{}')dnl", deliver.display()));
    let sendmail = Sendmail::start(&setup);
    sendmail.tell(|server| {
        let promise = Promise {
            own: "backup@own.example",
            nobody: Some("nobody-here@own.example"),
            inside: &|| file_text(&mail.join("backup")),
            client: ALICE_AT,
            login: &|| site.hears_of_a_login(ALICE_AT),
            other: Some("bob@example.test"),
        };
        promise.is_kept_by(&Server { refusal: "", ..*server });
    });
}

#[test]
fn story_with_sendmail() {
    let mut demo = Demo::start();
    let sendmail = beside(&demo);
    sendmail.tell(|server| story_from(ALICE_AT, &mut demo, server));
}

#[test]
fn expiry_with_sendmail() {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    let sendmail = beside(&demo);
    sendmail.tell(|server| expiry_from(ALICE_AT, &demo, server));
}

/// T39: in one conversation, with the guard killed, away, back, and held.
#[test]
fn t39_guard_comes_and_goes_in_one_conversation() {
    let mut demo = Demo::start();
    let sendmail = beside(&demo);
    let alice = demo.account("alice");
    pop_login(&demo, &alice);
    let (mut hers, mut strange) = (sendmail.dial(ALICE_AT), sendmail.dial(STRANGER));
    let mut asks = |expected: [&str; 3], when: &str| {
        let inside = hers.rcpt(&alice.address, "bob@example.test");
        let answers = [hers.rcpt(&alice.address, OUTSIDE), strange.rcpt(&alice.address, OUTSIDE), inside];
        let right = answers.iter().zip(expected).all(|(answer, expected)| answer.starts_with(expected));
        assert!(right, "{when}: {answers:?}\n{}", sendmail.log());
    };
    asks(["250", "550 5.7.1", "250"], "with the guard");
    demo.kill_9();
    asks(["451 4.3.0", "451 4.3.0", "250"], "guard killed");
    demo.restart();
    asks(["250", "550 5.7.1", "250"], "guard back");
    signal(demo.pid(), "-STOP");
    asks(["451 4.3.0", "451 4.3.0", "250"], "guard held");
    signal(demo.pid(), "-CONT");
    asks(["250", "550 5.7.1", "250"], "guard goes on");
}

/// Mail for us goes in while the guard is away, and waits for its place.
#[test]
fn local_mail_needs_no_guard() {
    let mut demo = Demo::start();
    let setup = Setup::with(&["sekisho.m4"]).socketmap(1).inside(demo.port("smtp"));
    let sendmail = Sendmail::start(&setup);
    let text = "Subject: inside\r\n\r\nx\r\n";
    let answer = sendmail.dial(STRANGER).mail("x@elsewhere.example", "alice@example.test", text);
    assert!(answer.starts_with("250"), "{answer}");
    demo.until("the mail", || demo.mailbox("alice").pop());
    assert!(demo.stop());
    let answer = sendmail.dial(STRANGER).mail("x@elsewhere.example", "alice@example.test", text);
    assert!(answer.starts_with("250"), "{answer}");
}

/// An address of the file may relay in any name; no file is no yes.
#[test]
fn classical_file() {
    let sendmail = Sendmail::start(&Setup::with(&["sekisho-drac.m4"]));
    let asks = |expected: &str, when: &str| {
        let answer = sendmail.rcpt(ALICE_AT, "anybody@elsewhere.example", OUTSIDE);
        assert!(answer.starts_with(expected), "{when}: {answer}");
        let answer = sendmail.rcpt(ALICE_AT, "anybody@elsewhere.example", "alice@example.test");
        assert!(answer.starts_with("250"), "{when}: {answer}");
    };
    asks("451 4.3.0", "no file");
    sendmail.makemap("btree", "dracd", "192.0.2.7\t1794000000\n");
    asks("550 5.7.1", "others are in it");
    sendmail.makemap("btree", "dracd", &format!("192.0.2.7\t1794000000\n{ALICE_AT}\t1794000000\n"));
    asks("250", "it is in it");
    assert!(sendmail.rcpt(STRANGER, "anybody@elsewhere.example", OUTSIDE).starts_with("550 5.7.1"));
    sendmail.makemap("btree", "dracd", "");
    asks("550 5.7.1", "an empty file");
}

/// The file that the guard keeps.
#[test]
fn classical_file_kept_by_the_guard() {
    let folder = crate::support::Folder::new();
    let file = folder.join("dracd.db");
    let mut demo = Demo::start_with(&[&format!("relay.export=\"btree:{}\"", file.display())]);
    let mut setup = Setup::with(&["sekisho-drac.m4"]).inside(demo.port("smtp"));
    setup.dracd = Some(file);
    let sendmail = Sendmail::start(&setup);
    let alice = demo.account("alice");
    let becomes = |expected: &str, when: &str| {
        crate::support::until(when, &|| sendmail.log(), || {
            sendmail.rcpt(ALICE_AT, &alice.address, OUTSIDE).starts_with(expected).then_some(())
        });
    };
    becomes("550 5.7.1", "nobody has a grant");
    pop_login(&demo, &alice);
    becomes("250", "after the login");
    assert!(sendmail.rcpt(STRANGER, &alice.address, OUTSIDE).starts_with("550 5.7.1"));
    demo.ruled(&["grant", "revoke", "--address", &ALICE_AT.to_string()]);
    becomes("550 5.7.1", "taken back");
    pop_login(&demo, &alice);
    becomes("250", "after the second login");
    assert!(demo.stop(), "it empties the file at its end");
    becomes("550 5.7.1", "guard ended");
}
