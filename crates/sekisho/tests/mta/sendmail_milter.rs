//! sendmail with the guard as its milter: what it takes away, and what happens while it is away itself.

use super::{ALICE_AT, Sendmail, Setup, signal};
use crate::demo::Demo;
use crate::support::{Mail, OUTSIDE, STRANGER, attempt, story_from};

/// It only takes away: sendmail alone says who may relay.
const RESTRICT: &str = "listener.milter.relay=\"restrict\"";
const MESSAGE: &str = "Subject: inside\r\n\r\nx\r\n";

fn beside(demo: &Demo) -> Sendmail {
    let setup = Setup::with(&["sekisho-milter.m4"]).milter(demo.port("milter"), "3s").inside(demo.port("smtp"));
    Sendmail::start(&setup)
}

/// The example as it is: grants by socketmap, everything else by milter.
#[test]
fn story_with_socketmap_and_milter() {
    let mut demo = Demo::start();
    let setup = Setup::with(&["sekisho.m4", "sekisho-milter.m4"])
        .socketmap(demo.port("socketmap"))
        .milter(demo.port("milter"), "30s")
        .inside(demo.port("smtp"));
    let sendmail = Sendmail::start(&setup);
    sendmail.tell(|server| story_from(ALICE_AT, &mut demo, server));
}

#[test]
fn milter_takes_away_and_gives_nothing() {
    let demo = Demo::start_with(&[RESTRICT]);
    let sendmail = beside(&demo);
    let mut smtp = sendmail.dial(STRANGER);
    // sendmail takes everybody in a relay domain; the guard knows who is there.
    for (recipient, expected) in [
        ("alice@example.test", "250"),
        ("nobody-is-here@example.test", "550 5.1.1"),
        ("bob@example.test", "250"),
        (OUTSIDE, "550 5.7.1"),
    ] {
        let answer = smtp.rcpt("x@elsewhere.example", recipient);
        assert!(answer.starts_with(expected), "{recipient}: {answer}\n{}", sendmail.log());
    }
    // Whom sendmail lets relay is none of its business.
    let answer = attempt(
        std::net::Ipv4Addr::LOCALHOST,
        sendmail.port,
        &Mail { from: "x@elsewhere.example", to: OUTSIDE, subject: "from this machine" },
    );
    assert!(answer.starts_with("250"), "{answer}");
    demo.until("the mail outside", || sendmail.outside.mails().pop());
}

#[test]
fn several_mails_in_one_conversation() {
    let demo = Demo::start_with(&[RESTRICT]);
    let sendmail = beside(&demo);
    let mut smtp = sendmail.dial(STRANGER);
    for n in 0..4 {
        let refused = smtp.rcpt("x@elsewhere.example", "nobody-is-here@example.test");
        assert!(refused.starts_with("550 5.1.1"), "{refused}");
        let taken = smtp.mail("x@elsewhere.example", "alice@example.test", format!("Subject: mail {n}\r\n\r\nx\r\n"));
        assert!(taken.starts_with("250"), "{taken}");
    }
    demo.until("four mails", || (demo.mailbox("alice").len() == 4).then_some(()));
}

/// T39: killed, away, back, held. While it is away nothing passes, and nothing is refused for good.
#[test]
fn t39_milter_comes_and_goes() {
    let mut demo = Demo::start_with(&[RESTRICT]);
    let sendmail = beside(&demo);
    let tried = |when: &str, expected: char| {
        let mail = Mail { from: "x@elsewhere.example", to: "alice@example.test", subject: "inside" };
        let answer = attempt(STRANGER, sendmail.port, &mail);
        assert!(answer.starts_with(expected), "{when}: {answer}\n{}", sendmail.log());
    };
    tried("with the guard", '2');
    let mut open = sendmail.dial(STRANGER);
    assert!(open.rcpt("x@elsewhere.example", "alice@example.test").starts_with("250"));
    demo.kill_9();
    // The recipient is there already; the message must not pass by.
    let answer = open.say("DATA");
    let answer = if answer.starts_with("354") { open.say(&format!("{MESSAGE}.")) } else { answer };
    assert!(answer.starts_with('4'), "{answer}\n{}", sendmail.log());
    tried("guard killed", '4');
    demo.restart();
    tried("guard back", '2');
    signal(demo.pid(), "-STOP");
    tried("guard held", '4');
    signal(demo.pid(), "-CONT");
    tried("guard goes on", '2');
    demo.until("three mails", || (demo.mailbox("alice").len() == 3).then_some(()));
}

/// Nobody listens: all mail waits with its sender, none is refused.
#[test]
fn t39_no_milter_at_all() {
    let sendmail = Sendmail::start(&Setup::with(&["sekisho-milter.m4"]).milter(1, "3s"));
    for to in ["alice@example.test", "root@own.example", OUTSIDE] {
        let mail = Mail { from: "x@elsewhere.example", to, subject: "to wait" };
        let answer = attempt(STRANGER, sendmail.port, &mail);
        assert!(answer.starts_with('4'), "{to}: {answer}\n{}", sendmail.log());
    }
    assert!(sendmail.outside.mails().is_empty());
}
