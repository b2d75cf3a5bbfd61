//! A hostile client in every state: nothing panics, every output is whole lines, nothing is deleted without QUIT, and
//! the same octets one by one get the same answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3::{Answer, Config, Input, Limits, Listing, Offer, Output, Peer, PlainText, Question, Session, replies};
use std::sync::Arc;
use std::time::Instant;

fuzz_target!(|data: &[u8]| {
    let now = Instant::now();
    let whole = talk(data, data.len().max(1), now);
    assert_eq!(whole, talk(data, 1, now));
    assert!(whole.is_empty() || whole.ends_with(b"\r\n"));
});

fn talk(data: &[u8], piece_octets: usize, now: Instant) -> Vec<u8> {
    let offer = Offer {
        stls: true,
        user_pass: PlainText::Always,
        auth_mechanisms_clear: vec!["PLAIN", "TOY"],
        auth_mechanisms_tls: vec!["PLAIN"],
    };
    let limits = Limits { command_line_octets: 64, auth_line_octets: 128, ..Limits::default() };
    let config = Config { software: "fuzz".into(), limits, offer };
    let peer = Peer { tls: false, apop_banner: Some("<1@h>".into()) };
    let mut session = Session::new(Arc::new(config), peer, now);
    let (mut outputs, mut wire) = (Vec::new(), Vec::new());
    session.start(&mut outputs);
    let mut quit_seen = false;
    let mut pieces = data.chunks(piece_octets);
    loop {
        while !outputs.is_empty() {
            for output in std::mem::take(&mut outputs) {
                match output {
                    Output::Reply(reply) => reply.write_to(&mut wire),
                    Output::Lines(mut lines) => while lines.fill(&mut wire, 10) {},
                    Output::Ask(question) => {
                        quit_seen |= matches!(question, Question::Commit { .. });
                        session.handle(Input::Answer(answer(question)), now, &mut outputs);
                    }
                    // Whether anything followed in the same packet is the one thing that a split may change.
                    Output::StartTls(_) | Output::Close => return Vec::new(),
                }
            }
        }
        let Some(piece) = pieces.next() else { break };
        session.handle(Input::Bytes(piece), now, &mut outputs);
    }
    assert!(!quit_seen || session.is_closed());
    wire
}

fn answer(question: Question) -> Answer {
    match question {
        Question::UserPass { pass, .. } if pass.len() == 1 => Answer::AuthFailed(replies::auth_failed()),
        Question::AuthStart { mechanism: "TOY", .. } => Answer::AuthChallenge(b"?".to_vec()),
        Question::AuthStart { .. } => Answer::Refuse(replies::auth_unavailable()),
        Question::UserPass { .. } | Question::Apop { .. } => Answer::Authenticated { login: "a".into(), last: None },
        Question::AuthStep(_) => Answer::Authenticated { login: "a".into(), last: Some(b"!".to_vec()) },
        Question::OpenMaildrop { .. } => {
            Answer::Maildrop(Arc::new([(1, "a"), (2, "b")].into_iter().collect::<Listing>()))
        }
        Question::Message(_) => Answer::Sent,
        Question::Connect | Question::Commit { .. } => Answer::Proceed,
    }
}
