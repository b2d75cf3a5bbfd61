//! What sendmail asks over socketmap, and what it makes of every answer: only a clear yes lets a mail out.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{ALICE_AT, Sendmail, Setup};
use crate::support::OUTSIDE;

/// An answer for a question.
type Answering = Box<dyn Fn(&str) -> Vec<u8> + Send>;

/// Says what the test wants to every question, octet for octet, and closes where that is nothing.
struct Oracle {
    port: u16,
    questions: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answering>>,
}

impl Oracle {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Self { port, questions: Arc::default(), answer: Arc::new(Mutex::new(Box::new(knows_nothing))) };
        let (questions, answer) = (Arc::clone(&this.questions), Arc::clone(&this.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (questions, answer) = (Arc::clone(&questions), Arc::clone(&answer));
                std::thread::spawn(move || answer_all(&stream, &questions, &answer));
            }
        });
        this
    }

    /// The questions since it was last asked for them, but for those about the test that waited for sendmail.
    fn questions(&self) -> Vec<String> {
        let mut questions = std::mem::take(&mut *self.questions.lock().unwrap());
        questions.retain(|question| question != "connect 127.0.0.1");
        questions
    }

    fn answers(&self, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }
}

fn answer_all(stream: &TcpStream, questions: &Mutex<Vec<String>>, answer: &Mutex<Answering>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut length = Vec::new();
        reader.read_until(b':', &mut length).ok()?;
        let length: usize = std::str::from_utf8(&length).ok()?.strip_suffix(':')?.parse().ok()?;
        let mut question = vec![0; length + 1];
        reader.read_exact(&mut question).ok()?;
        assert_eq!(question.pop(), Some(b','), "a netstring");
        let question = String::from_utf8_lossy(&question).into_owned();
        let reply = (*answer.lock().unwrap())(&question);
        questions.lock().unwrap().push(question);
        if reply.is_empty() {
            return None;
        }
        writer.write_all(&reply).ok()?;
    }
}

fn netstring(text: &str) -> Vec<u8> {
    format!("{}:{text},", text.len()).into_bytes()
}

/// Everything is asked, nothing is found.
fn knows_nothing(_: &str) -> Vec<u8> {
    netstring("NOTFOUND ")
}

fn beside(oracle: &Oracle) -> Sendmail {
    Sendmail::start(&Setup::with(&["sekisho.m4"]).socketmap(oracle.port))
}

/// Senders and recipients as clients write them, and the key in which they are asked for.
const KEYS: &[(&str, &str, &str)] = &[
    ("alice@example.test", "friend@outside.example", "<alice@example.test><friend@outside.example>"),
    ("Alice@Example.Test", "Friend@Outside.Example", "<Alice@Example.Test><Friend@Outside.Example>"),
    ("", "friend@outside.example", "<><friend@outside.example>"),
    ("+a@example.test", "-b@outside.example", "<+a@example.test><-b@outside.example>"),
    ("\"al ice\"@example.test", "\"a b\"@outside.example", "<\"al ice\"@example.test><\"a b\"@outside.example>"),
    ("a..b@example.test", "b.@outside.example", "<a..b@example.test><b.@outside.example>"),
    ("alice@example.test", "@x.example:b@outside.example", "<alice@example.test><@x.example:b@outside.example>"),
    ("alice@example.test", "b%outside.example@example.test", "<alice@example.test><b%outside.example@example.test>"),
    ("alice@example.test", "b@[192.0.2.1]", "<alice@example.test><b@[192.0.2.1]>"),
    ("alice@example.test", "\"x<GRANT>\"@outside.example", "<alice@example.test><\"x<GRANT>\"@outside.example>"),
];

#[test]
fn what_is_asked() {
    let oracle = Oracle::start();
    let sendmail = beside(&oracle);
    let mut wrong = Vec::new();
    for (sender, recipient, key) in KEYS {
        let mut smtp = sendmail.dial(ALICE_AT);
        let answer = smtp.rcpt(sender, recipient);
        let asked = oracle.questions();
        let (connect, relay) = (format!("connect {ALICE_AT}"), format!("relay {ALICE_AT}{key}"));
        if asked != [connect, relay] || !answer.starts_with("550 5.7.1") {
            wrong.push(format!("{sender} {recipient}: {asked:?} {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Own and relay domains, and what this machine itself sends, is none of the guard's business.
#[test]
fn what_is_not_asked() {
    let oracle = Oracle::start();
    let sendmail = beside(&oracle);
    for recipient in ["alice@example.test", "root@own.example", "root"] {
        let answer = sendmail.rcpt(ALICE_AT, "x@elsewhere.example", recipient);
        assert!(answer.starts_with("250"), "{recipient}: {answer}");
    }
    let answer = sendmail.rcpt(Ipv4Addr::LOCALHOST, "x@elsewhere.example", OUTSIDE);
    assert!(answer.starts_with("250"), "{answer}");
    let asked = oracle.questions();
    assert!(asked.iter().all(|question| question.starts_with("connect ")), "{asked:?}");
}

/// An answer's octets, and how the reply to RCPT begins.
const ANSWERS: &[(&[u8], &str)] = &[
    (b"3:OK ,", "250"),
    (b"10:OK granted,", "250"),
    (b"9:OK granted,", "451"),
    (b"9:NOTFOUND ,", "550"),
    (b"12:NOTFOUND OK ,", "550"),
    (b"8:NOTFOUND,", "550"),
    (b"5:TEMP ,", "451"),
    (b"12:TEMP <GRANT>,", "451"),
    (b"8:TIMEOUT ,", "451"),
    (b"5:PERM ,", "550"),
    (b"12:PERM <GRANT>,", "550"),
    (b"2:ok,", ""),
    (b"6:okay x,", ""),
    (b"5:MAYBE,", ""),
    (b"0:,", ""),
    (b"99999999999:OK ,", "451"),
    (b"x", "451"),
    (b"OK granted\n", "451"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "451"),
    (b"", "451"),
];

/// T39, on sendmail's side: silence, nonsense and a broken connection are no yes.
#[test]
fn t39_only_a_clear_yes_lets_out() {
    let oracle = Oracle::start();
    let sendmail = beside(&oracle);
    let mut wrong = Vec::new();
    for (octets, expected) in ANSWERS {
        oracle.answers(knows_nothing);
        let mut smtp = sendmail.dial(ALICE_AT);
        oracle.answers(|_| octets.to_vec());
        let answer = smtp.rcpt("alice@example.test", OUTSIDE);
        let ours = smtp.rcpt("alice@example.test", "bob@example.test");
        if !answer.starts_with(expected) || !ours.starts_with("250") {
            wrong.push(format!("{}: {answer}{ours}", String::from_utf8_lossy(octets)));
        }
        // The next conversation is not the worse for it.
        oracle.answers(|_| netstring("OK "));
        let answer = smtp.rcpt("alice@example.test", OUTSIDE);
        if !answer.starts_with("250") {
            wrong.push(format!("{}, then a yes: {answer}", String::from_utf8_lossy(octets)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// At the connection: a refusal in the guard's words, and no answer keeps nobody out. What is found there is no right.
#[test]
fn what_is_said_at_the_connection() {
    let oracle = Oracle::start();
    let sendmail = beside(&oracle);
    let cases: &[(&str, &str, &str)] = &[
        ("OK REJECT 127.0.0.21 is barred here [7kq2m4xd]", "550 5.7.1 127.0.0.21 is barred here", "550 5.7.1"),
        ("OK DEFER too many connections [7kq2m4xd]", "450 4.7.1 too many connections", "450 4.7.1"),
        ("OK ", "550 5.7.1", "250"),
        ("OK RELAY", "550 5.7.1", "250"),
        ("OK granted <GRANT>", "550 5.7.1", "250"),
        ("NOTFOUND ", "550 5.7.1", "250"),
        ("TEMP ", "550 5.7.1", "250"),
    ];
    let mut wrong = Vec::new();
    for (said, outside, inside) in cases {
        oracle.answers(|question| if question.starts_with("connect ") { netstring(said) } else { knows_nothing("") });
        let mut smtp = sendmail.dial(ALICE_AT);
        for (recipient, expected) in [(OUTSIDE, outside), ("alice@example.test", inside)] {
            let answer = smtp.rcpt("x@elsewhere.example", recipient);
            if !answer.starts_with(expected) {
                wrong.push(format!("{said}: {recipient}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What sendmail refuses for another reason stays refused with a grant; and recipients that only look like ours.
#[test]
fn a_grant_opens_nothing_else() {
    let oracle = Oracle::start();
    oracle.answers(|question| if question.starts_with("relay ") { netstring("OK ") } else { knows_nothing("") });
    let sendmail = beside(&oracle);
    for (recipient, expected) in [
        ("closed@example.test", "550 5.2.1"),
        ("nobody-is-here@own.example", "550 5.1.1"),
        ("b@enemy.example", "550 5.2.1"),
        ("", "553"),
        (OUTSIDE, "250"),
    ] {
        let answer = sendmail.rcpt(ALICE_AT, "alice@example.test", recipient);
        assert!(answer.starts_with(expected), "{recipient}: {answer}");
    }
    let answer = sendmail.rcpt(ALICE_AT, "x@spam.example", OUTSIDE);
    assert!(answer.starts_with("550 5.7.1"), "From: in the access map: {answer}");
}

/// Nobody listens: the outside waits, the inside goes on.
#[test]
fn t39_nobody_listens() {
    let sendmail = Sendmail::start(&Setup::with(&["sekisho.m4"]).socketmap(1));
    for (_, recipient, _) in KEYS {
        let answer = sendmail.rcpt(ALICE_AT, "alice@example.test", recipient);
        assert!(answer.starts_with("451 4.3.0"), "{recipient}: {answer}");
    }
    assert!(sendmail.rcpt(ALICE_AT, "x@elsewhere.example", "alice@example.test").starts_with("250"));
    assert!(sendmail.outside.mails().is_empty());
}
