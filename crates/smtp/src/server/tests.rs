use std::time::Duration;

use super::*;

#[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way; it is moved by hand from here")]
fn session() -> (Session<u8>, Instant, Vec<Output<u8>>) {
    let offer = Offer {
        starttls: false,
        auth: AuthOffer::Never,
        auth_mechanisms_clear: vec![],
        auth_mechanisms_tls: vec![],
        auth_form: AuthForm::Standard,
        auth_required: false,
        tls_required: false,
    };
    let config = ServerConfig {
        hostname: "mx.example".into(),
        software: "Sekisho".into(),
        limits: Limits::default(),
        offer,
        flavour: Flavour::Mx,
        default_domain: None,
        syntax: crate::command::Syntax::Lenient,
    };
    let peer = Peer { addr: "::ffff:192.0.2.1".parse().unwrap(), xclient: false, trusted: false, tls: false };
    let now = Instant::now();
    let mut session = Session::new(Arc::new(config), peer, now);
    let mut out = Vec::new();
    session.start(now, &mut out);
    (session, now, out)
}

/// The codes of replies; questions and events by name.
fn brief(out: &mut Vec<Output<u8>>) -> String {
    let words = out.drain(..).map(|output| match output {
        Output::Reply(reply) => reply.code().to_string(),
        Output::Ask(question) => format!("{question:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
        Output::Close => "close".into(),
        other => format!("{other:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn an_early_talker_is_refused() {
    let (mut session, now, mut out) = session();
    session.handle(Input::Bytes(b"HELO a\r\n"), now, &mut out);
    session.handle(Input::Answer(Answer::Proceed), now, &mut out);
    assert_eq!(brief(&mut out), "Connect 554 close");
    assert!(session.is_closed() && !session.wants_bytes() && session.deadline().is_none());
}

#[test]
fn octets_wait_while_a_question_is_out_and_time_stands_still() {
    let (mut session, now, mut out) = session();
    assert_eq!(session.client_addr(), IpAddr::from([192, 0, 2, 1]));
    assert!(!session.wants_bytes());
    session.handle(Input::Answer(Answer::Proceed), now, &mut out);
    session.handle(Input::Bytes(b"HELO a\r\nNOOP\r\nNO"), now, &mut out);
    assert_eq!((brief(&mut out).as_str(), session.wants_bytes()), ("Connect 220 Helo", false));
    session.handle(Input::Timeout, now + Duration::from_hours(9), &mut out);
    assert!(out.is_empty() && session.deadline().is_none());
    session.handle(Input::Bytes(b"OP\r\n"), now, &mut out);
    session.handle(Input::Answer(Answer::Proceed), now, &mut out);
    assert_eq!(brief(&mut out), "250 250 250");
    assert_eq!(session.unread.len(), 0);
}

#[test]
fn an_answer_that_does_not_fit_opens_nothing() {
    let (mut session, now, mut out) = session();
    session.handle(Input::Answer(Answer::Recipient(1)), now, &mut out);
    assert_eq!(brief(&mut out), "Connect 421 close");
    session.handle(Input::Answer(Answer::Proceed), now, &mut out);
    session.handle(Input::Bytes(b"NOOP\r\n"), now, &mut out);
    assert!(out.is_empty());
}

#[test]
fn an_answer_without_a_question_is_ignored() {
    let (mut session, now, mut out) = session();
    session.handle(Input::Answer(Answer::Proceed), now, &mut out);
    let login = "alice".to_owned();
    session.handle(Input::Answer(Answer::Authenticated { login, last: None }), now, &mut out);
    assert_eq!((brief(&mut out).as_str(), session.login()), ("Connect 220", None));
}

#[test]
fn what_is_unread_is_bounded() {
    let (mut session, now, mut out) = session();
    let flood = vec![b'x'; UNREAD_OCTETS_MAX + 1];
    session.handle(Input::Bytes(&flood), now, &mut out);
    assert_eq!(brief(&mut out), "Connect 421 close");
    assert_eq!(session.unread.len(), 0);
}

#[test]
fn secrets_are_not_printed() {
    let start: Question<u8> = Question::AuthStart { mechanism: "PLAIN", initial: Some(b"secret".to_vec()) };
    let step: Question<u8> = Question::AuthStep(Some(b"secret".to_vec()));
    let challenge: Answer<u8> = Answer::AuthChallenge(b"secret".to_vec());
    let input: Input<'_, u8> = Input::Bytes(b"secret");
    let body: Output<u8> = Output::Body(b"secret".to_vec());
    let (mut session, now, mut out) = session();
    session.handle(Input::Bytes(b"secret"), now, &mut out);
    let printed = format!("{start:?} {step:?} {challenge:?} {input:?} {body:?} {session:?}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn a_piece_is_as_long_as_the_answer_says() {
    for (answer, pieces) in [(Answer::Proceed, 0), (Answer::ProceedInPieces(10), 3), (Answer::ProceedInPieces(1), 4)] {
        let (mut session, now, mut out) = session();
        session.handle(Input::Answer(Answer::Proceed), now, &mut out);
        for (line, answer) in [("HELO a\r\n", Answer::Proceed), ("MAIL FROM:<>\r\n", Answer::Proceed)] {
            session.handle(Input::Bytes(line.as_bytes()), now, &mut out);
            session.handle(Input::Answer(answer), now, &mut out);
        }
        session.handle(Input::Bytes(b"RCPT TO:<a@b.example>\r\n"), now, &mut out);
        session.handle(Input::Answer(Answer::Recipient(1)), now, &mut out);
        session.handle(Input::Bytes(b"DATA\r\n"), now, &mut out);
        session.handle(Input::Answer(answer), now, &mut out);
        out.clear();
        for text in ["12345\r\n", "6789\r\n", "0123456789\r\n", "0123456789\r\n"] {
            session.handle(Input::Bytes(text.as_bytes()), now, &mut out);
        }
        let handed_on = out.iter().filter(|output| matches!(output, Output::Body(_))).count();
        assert_eq!(handed_on, pieces);
    }
}

/// RFC 2920 §3.1: nothing may stand behind a greeting, and who greeted with HELO was never told that it may send ahead.
#[test]
fn what_is_sent_ahead_before_it_may_is_noted() {
    let mail = "MAIL FROM:<a@b.example>\r\nRSET\r\n";
    for (greeting, behind, ahead) in [
        ("EHLO a.example\r\n", mail, false),
        ("HELO a.example\r\n", mail, true),
        ("HELO a.example\r\n", "NOOP\r\nQUIT\r\n", false),
        ("EHLO a.example\r\nNOOP\r\n", "", true),
    ] {
        let (mut session, now, mut out) = session();
        session.handle(Input::Answer(Answer::Proceed), now, &mut out);
        session.handle(Input::Bytes(greeting.as_bytes()), now, &mut out);
        session.handle(Input::Answer(Answer::Proceed), now, &mut out);
        session.handle(Input::Bytes(behind.as_bytes()), now, &mut out);
        assert_eq!(session.spoke_ahead(), ahead, "{greeting}{behind}");
    }
}
