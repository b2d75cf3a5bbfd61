//! Conversations in memory: `S:` the server, `C:` what the client must write, `E:` what it must say happened.

use super::*;
use proptest::prelude::*;

use crate::dsn::Notify;

mod asking;

/// What the owner does when the session is ready, in order.
#[derive(Clone, Copy)]
enum Act {
    StartTls,
    Auth,
    /// A message `X` to so many recipients.
    Send(usize),
    /// A question for so many recipients.
    Ask(usize),
    Quit,
}
use Act::{Ask, Auth, Quit, Send, StartTls};

fn transaction(recipients: usize) -> Transaction {
    let to = (0..recipients)
        .map(|number| To { path: Path::new(&format!("r{number}@d")).unwrap(), notify: Notify::DEFAULT, orcpt: None })
        .collect();
    Transaction {
        reverse_path: Path::new("s@h").unwrap(),
        to,
        octets: 3,
        eight_bit: false,
        needs_smtputf8: false,
        ret: None,
        envid: None,
    }
}

/// Plays a server's script against a session; the answer is the whole conversation, a line each.
struct Player {
    session: Session,
    acts: std::vec::IntoIter<Act>,
    log: Vec<String>,
    wire: Vec<u8>,
}

impl Player {
    fn new(protocol: Protocol, acts: &[Act]) -> Self {
        let config = Config { hostname: "me.example".into(), protocol, limits: ResponseLimits::default() };
        Self { session: Session::new(config), acts: Vec::from(acts).into_iter(), log: Vec::new(), wire: Vec::new() }
    }

    /// Gives octets to the session and does all that follows from them.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.session.handle(Input::Bytes(bytes), &mut self.wire)?;
        while let Some(event) = self.session.poll(&mut self.wire)? {
            self.flush();
            self.follow(&event)?;
            self.flush();
        }
        self.flush();
        Ok(())
    }

    fn follow(&mut self, event: &Event) -> Result<(), ClientError> {
        self.log.push(format!("E: {}", print(event)));
        match event {
            Event::TlsGo => self.session.handle(Input::TlsUp, &mut self.wire),
            Event::AuthChallenge(_) => self.session.auth_respond(Some("cmVz"), &mut self.wire),
            Event::SendBody => {
                let mut dots = DotWriter::default();
                dots.write(b"X", &mut self.wire);
                dots.finish(&mut self.wire);
                self.session.handle(Input::BodySent, &mut self.wire)
            }
            _ if self.session.is_open() => self.act(),
            _ => Ok(()),
        }
    }

    fn act(&mut self) -> Result<(), ClientError> {
        match self.acts.next() {
            Some(StartTls) => self.session.start_tls(&mut self.wire),
            Some(Auth) => self.session.auth("CRAM-MD5", None, &mut self.wire),
            Some(Send(recipients)) => {
                let report = self.session.send(&transaction(recipients), &mut self.wire)?;
                self.log.extend(report.map(|report| format!("E: {}", print(&Event::Done(report)))));
                Ok(())
            }
            Some(Ask(recipients)) => self.session.ask(&transaction(recipients), &mut self.wire).map(drop),
            Some(Quit) => {
                self.session.quit(&mut self.wire);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn flush(&mut self) {
        let wire = String::from_utf8(std::mem::take(&mut self.wire)).unwrap();
        self.log.extend(wire.lines().map(|line| format!("C: {line}")));
    }
}

fn print(event: &Event) -> String {
    match event {
        Event::Done(report) => format!("done {}", report.fates.iter().map(print_fate).collect::<Vec<_>>().join(" | ")),
        Event::Refused(response) => format!("refused {response}"),
        Event::TlsRefused(response) => format!("no TLS {response}"),
        Event::AuthRefused(response) => format!("no AUTH {response}"),
        Event::Closing(response) => format!("closing {response}"),
        Event::AuthChallenge(text) => format!("challenge {text}"),
        Event::Ready => "ready".into(),
        Event::TlsGo => "TLS".into(),
        Event::Authenticated => "authenticated".into(),
        Event::SendBody => "body".into(),
    }
}

fn print_fate(fate: &RecipientFate) -> String {
    match fate {
        RecipientFate::Accepted(response) => format!("accepted {response}"),
        RecipientFate::Refused(stage, response) => format!("{stage:?} {response}"),
        RecipientFate::Unanswered(stage) => format!("{stage:?} unanswered"),
    }
}

/// The script has the three kinds of line; the `S:` lines are fed one by one, the rest must come out.
fn play(protocol: Protocol, acts: &[Act], script: &str) {
    let mut player = Player::new(protocol, acts);
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut expected = Vec::new();
    for line in lines {
        if let Some(said) = line.strip_prefix("S: ") {
            assert_eq!(player.log, expected, "before {line}");
            match player.feed(format!("{said}\r\n").replace('~', "\r\n").as_bytes()) {
                Ok(()) => {}
                Err(error) => {
                    player.flush();
                    player.log.push(format!("E: error {error}"));
                    let report = player.session.abandon();
                    player.log.extend(report.map(|report| format!("E: {}", print(&Event::Done(report)))));
                }
            }
        } else {
            expected.push(line.to_owned());
        }
    }
    assert_eq!(player.log, expected);
}

#[test]
fn a_message_with_pipelining_and_another() {
    play(
        Protocol::Smtp,
        &[Send(1), Send(2), Quit],
        "S: 220 mx ESMTP
         C: EHLO me.example
         S: 250-mx~250-PIPELINING~250 SIZE 1000
         E: ready
         C: MAIL FROM:<s@h> SIZE=3
         C: RCPT TO:<r0@d>
         C: DATA
         S: 250 2.1.0 ok~250 2.1.5 ok~354 go
         E: body
         C: X
         C: .
         S: 250 2.0.0 queued
         E: done accepted 250 2.0.0 queued
         C: MAIL FROM:<s@h> SIZE=3
         C: RCPT TO:<r0@d>
         C: RCPT TO:<r1@d>
         C: DATA
         S: 250 ok
         S: 550 5.1.1 who
         S: 250 ok~354 go
         E: body
         C: X
         C: .
         S: 451 4.3.0 later
         E: done Rcpt 550 5.1.1 who | End 451 4.3.0 later
         C: QUIT",
    );
}

#[test]
fn a_message_without_pipelining() {
    play(
        Protocol::Smtp,
        &[Send(2), Send(1), Send(1)],
        "S: 220 mx
         C: EHLO me.example
         S: 250 mx
         E: ready
         C: MAIL FROM:<s@h>
         S: 250 ok
         C: RCPT TO:<r0@d>
         S: 550 no
         C: RCPT TO:<r1@d>
         S: 450 no
         E: done Rcpt 550 no | Rcpt 450 no
         C: RSET
         S: 250 ok
         C: MAIL FROM:<s@h>
         S: 550 5.7.1 not you
         E: done Mail 550 5.7.1 not you
         C: MAIL FROM:<s@h>
         S: 250 ok
         C: RCPT TO:<r0@d>
         S: 250 ok
         C: DATA
         S: 354 go
         E: body
         C: X
         C: .
         S: 250 ok
         E: done accepted 250 ok",
    );
}

#[test]
fn helo_where_ehlo_is_unknown_but_not_where_it_is_deferred() {
    let helo = "S: 220 mx
         C: EHLO me.example
         S: 502 what
         C: HELO me.example
         S: 250 mx
         E: ready";
    play(Protocol::Smtp, &[], helo);
    let deferred = "S: 220 mx
         C: EHLO me.example
         S: 450 later
         E: refused 450 later";
    play(Protocol::Smtp, &[], deferred);
    let lmtp = "S: 220 mx
         C: LHLO me.example
         S: 502 what
         E: refused 502 what";
    play(Protocol::Lmtp, &[], lmtp);
    play(Protocol::Smtp, &[], "S: 554 5.7.1 no\n E: refused 554 5.7.1 no");
    play(Protocol::Smtp, &[], "S: 421 4.3.2 busy\n E: closing 421 4.3.2 busy");
}

#[test]
fn pipelined_refusals_are_told_apart() {
    let start = "S: 220 mx
         C: EHLO me.example
         S: 250-mx~250 PIPELINING
         E: ready
         C: MAIL FROM:<s@h>
         C: RCPT TO:<r0@d>
         C: RCPT TO:<r1@d>
         C: DATA\n";
    let endings = [
        "S: 550 5.7.1 spam~503 mail first~503 mail first~503 rcpt first
         E: done Mail 550 5.7.1 spam | Mail 550 5.7.1 spam",
        "S: 250 ok~550 a~551 b~554 no valid recipients
         E: done Rcpt 550 a | Rcpt 551 b",
        // A server which says 354 though nobody was taken gets a lone dot, and its 250 means nothing.
        "S: 250 ok~550 a~551 b~354 go
         C: .
         S: 250 queued
         E: done Rcpt 550 a | Rcpt 551 b",
        "S: 250 ok~250 ok~250 ok~451 4.3.1 full
         E: done Data 451 4.3.1 full | Data 451 4.3.1 full",
        "S: 250 ok~421 4.3.2 going down
         E: done Rcpt 421 4.3.2 going down | Rcpt 421 4.3.2 going down",
        "S: 250 ok~550 no~250 ok~354 go
         E: body
         C: X
         C: .
         S: 421 4.4.2 gone
         E: done Rcpt 550 no | End 421 4.4.2 gone",
        "S: 250 ok~550 no~250 ok~250 what
         E: error unexpected reply: 250 what
         E: done Rcpt 550 no | Data unanswered",
        "S: 250 ok~354 no~250 ok
         E: error unexpected reply: 354 no
         E: done Rcpt unanswered | Rcpt unanswered",
    ];
    for ending in endings {
        play(Protocol::Smtp, &[Send(2)], &format!("{start}{ending}"));
    }
}

/// Codes that are in no list count by their first digit (RFC 5321 §4.3.2), words for nothing.
#[test]
fn codes_in_no_list_count_by_their_first_digit() {
    let script = "S: 220 mx
         C: EHLO me.example
         S: 250-mx~250 PIPELINING
         E: ready
         C: MAIL FROM:<s@h>
         C: RCPT TO:<r0@d>
         C: RCPT TO:<r1@d>
         C: RCPT TO:<r2@d>
         C: DATA
         S: 299 error~251 refused~459 fine~599 ok~354
         E: body
         C: X
         C: .
         S: 288 no
         E: done accepted 288 no | Rcpt 459 fine | Rcpt 599 ok";
    play(Protocol::Smtp, &[Send(3)], script);
}

#[test]
fn lmtp_answers_each_recipient_after_the_message() {
    let start = "S: 220 mx
         C: LHLO me.example
         S: 250-mx~250 PIPELINING
         E: ready
         C: MAIL FROM:<s@h>
         C: RCPT TO:<r0@d>
         C: RCPT TO:<r1@d>
         C: RCPT TO:<r2@d>
         C: DATA\n";
    let endings = [
        "S: 250 ok~250 ok~550 no~250 ok~354 go
         E: body
         C: X
         C: .
         S: 250 first
         S: 452 4.2.2 full
         E: done accepted 250 first | Rcpt 550 no | End 452 4.2.2 full",
        "S: 250 ok~250 ok~550 no~250 ok~354 go
         E: body
         C: X
         C: .
         S: 250 first~421 bye
         E: done accepted 250 first | Rcpt 550 no | End 421 bye",
        "S: 250 ok~550 a~550 b~550 c~354 go
         C: .
         E: done Rcpt 550 a | Rcpt 550 b | Rcpt 550 c",
    ];
    for ending in endings {
        play(Protocol::Lmtp, &[Send(3)], &format!("{start}{ending}"));
    }
}

#[test]
fn starttls_forgets_what_was_said_in_clear() {
    play(
        Protocol::Smtp,
        &[StartTls, Auth, Send(1)],
        "S: 220 mx
         C: EHLO me.example
         S: 250-mx~250-STARTTLS~250-PIPELINING~250 AUTH PLAIN
         E: ready
         C: STARTTLS
         S: 220 go
         E: TLS
         C: EHLO me.example
         S: 250-mx~250 AUTH CRAM-MD5
         E: ready
         C: AUTH CRAM-MD5
         S: 334 Y2hhbGxlbmdl
         E: challenge Y2hhbGxlbmdl
         C: cmVz
         S: 235 2.7.0 in
         E: authenticated
         C: MAIL FROM:<s@h>",
    );
    let refused = "S: 220 mx
         C: EHLO me.example
         S: 250 mx
         E: ready
         C: STARTTLS
         S: 454 4.7.0 no
         E: no TLS 454 4.7.0 no
         C: AUTH CRAM-MD5
         S: 535 5.7.8 no
         E: no AUTH 535 5.7.8 no";
    play(Protocol::Smtp, &[StartTls, Auth], refused);
}

#[test]
fn t26_octets_behind_the_starttls_reply_end_the_session() {
    let start = "S: 220 mx
         C: EHLO me.example
         S: 250 STARTTLS
         E: ready
         C: STARTTLS\n";
    for behind in ["250-injected~250 AUTH PLAIN", "2"] {
        let end = format!("S: 220 go~{behind}\n E: error octets behind the reply to STARTTLS");
        play(Protocol::Smtp, &[StartTls], &format!("{start}{end}"));
    }
}

#[test]
fn a_reply_to_no_command_is_an_error_but_421_is_a_farewell() {
    let start = "S: 220 mx
         C: EHLO me.example
         S: 250 mx
         E: ready\n";
    play(Protocol::Smtp, &[], &format!("{start} S: 421 4.4.2 idle\n E: closing 421 4.4.2 idle"));
    play(Protocol::Smtp, &[], &format!("{start} S: 250 x\n E: error unexpected reply: 250 x"));
}

#[test]
fn a_message_that_the_offer_rules_out_is_not_sent() {
    play(
        Protocol::Smtp,
        &[Send(1)],
        "S: 220 mx
         C: EHLO me.example
         S: 250-mx~250 SIZE 2
         E: ready
         E: done Offer 552 5.3.4 the next host takes 2 octets, the message has 3",
    );
}

#[test]
fn an_empty_initial_response_is_an_equals_sign() {
    for (initial, line) in
        [(None, "AUTH PLAIN\r\n"), (Some(""), "AUTH PLAIN =\r\n"), (Some("eA=="), "AUTH PLAIN eA==\r\n")]
    {
        let mut player = Player::new(Protocol::Smtp, &[]);
        player.feed(b"220 x\r\n250 x\r\n").unwrap();
        let mut wire = Vec::new();
        player.session.auth("PLAIN", initial, &mut wire).unwrap();
        assert_eq!(wire, line.as_bytes());
    }
}

#[test]
fn what_is_out_of_place_or_unfit_is_an_error() {
    let mut player = Player::new(Protocol::Smtp, &[]);
    let mut wire = Vec::new();
    assert!(matches!(player.session.send(&transaction(1), &mut wire), Err(ClientError::OutOfPlace(_))));
    assert!(matches!(player.session.start_tls(&mut wire), Err(ClientError::OutOfPlace(_))));
    assert!(matches!(player.session.handle(Input::TlsUp, &mut wire), Err(ClientError::OutOfPlace(_))));
    assert!(matches!(player.session.handle(Input::BodySent, &mut wire), Err(ClientError::OutOfPlace(_))));
    player.feed(b"220 x\r\n250 x\r\n").unwrap();
    assert!(matches!(player.session.auth("PLAIN\r\nQUIT", None, &mut wire), Err(ClientError::Unfit(_))));
    assert!(matches!(player.session.auth("PLAIN", Some("a b"), &mut wire), Err(ClientError::Unfit(_))));
    assert!(matches!(player.session.send(&transaction(0), &mut wire), Err(ClientError::Unfit(_))));
    assert!(wire.is_empty());
}

proptest! {
    /// Any split of a server's octets gives the same conversation.
    #[test]
    fn splits_do_not_matter(
        lines in proptest::collection::vec(prop_oneof![
            Just("220 mx\r\n"), Just("250-mx\r\n250 PIPELINING\r\n"), Just("250 ok\r\n"), Just("550 5.1.1 no\r\n"),
            Just("354 go\r\n"), Just("421 bye\r\n"), Just("451 later\r\n"),
        ], 0..14),
        cuts in proptest::collection::vec(0usize..200, 0..8),
    ) {
        let text: String = ["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n"].into_iter().chain(lines).collect();
        let run = |cuts: &[usize]| {
            let mut player = Player::new(Protocol::Smtp, &[Send(2), Send(1), Quit]);
            for pair in cuts.windows(2) {
                if let Err(error) = player.feed(&text.as_bytes()[pair[0]..pair[1]]) {
                    player.flush();
                    player.log.push(error.to_string());
                    break;
                }
            }
            player.log
        };
        let mut points: Vec<usize> = cuts.iter().map(|&cut| cut.min(text.len())).chain([0, text.len()]).collect();
        points.sort_unstable();
        prop_assert_eq!(run(&[0, text.len()]), run(&points));
    }
}
