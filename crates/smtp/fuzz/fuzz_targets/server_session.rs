//! A hostile client in every state: nothing panics, nothing comes behind a question or the end, and a message has just
//! the proofs that were given in its own transaction (T12).
#![no_main]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use smtp::command::Syntax;
use smtp::replies;
use smtp::server::{
    Answer, AuthForm, AuthOffer, Flavour, Input, Limits, Offer, Output, Peer, Question, ServerConfig, Session,
};

/// What brings a session into a state.
const STATES: &[&[u8]] = &[
    b"",
    b"EHLO a\r\n",
    b"EHLO a\r\nAUTH LOGIN\r\n",
    b"EHLO a\r\nAUTH SCRAM-SHA-256\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nBDAT 5\r\nabc",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nBDAT 5\r\nabcde",
    b"EHLO a\r\nBDAT 10\r\nabc",
    b"STARTTLS\r\n",
];

struct Caller {
    session: Session<u32>,
    now: Instant,
    proofs: Vec<u32>,
    next: u32,
    closed: bool,
}

impl Caller {
    fn input(&mut self, input: Input<'_, u32>) {
        let mut out = Vec::new();
        self.session.handle(input, self.now, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Output<u32>>) {
        let mut question = None;
        for output in out {
            assert!(!self.closed && question.is_none());
            match output {
                Output::Ask(asked) => question = Some(asked),
                Output::Close => self.closed = true,
                Output::Reply(_) | Output::Body(_) | Output::DiscardBody | Output::StartTls(_) => {}
            }
        }
        if let Some(question) = question {
            let answer = self.judge(question);
            self.input(Input::Answer(answer));
        }
    }

    fn judge(&mut self, question: Question<u32>) -> Answer<u32> {
        match question {
            Question::Mail(_) => {
                self.proofs.clear();
                Answer::Proceed
            }
            Question::Rcpt(rcpt) if rcpt.had_source_route => {
                Answer::Refuse(replies::relay_denied(&rcpt.forward_path, &"id"))
            }
            Question::Rcpt(_) => {
                self.next += 1;
                self.proofs.push(self.next);
                Answer::Recipient(self.next)
            }
            Question::AuthStart { mechanism: "SCRAM-SHA-256", .. } => {
                Answer::Authenticated { login: "a".into(), last: Some(vec![1]) }
            }
            Question::AuthStart { .. } => Answer::AuthChallenge(vec![2]),
            Question::AuthStep(_) => Answer::AuthFailed(replies::auth_failed()),
            Question::Message(envelope, _) => {
                let proofs: Vec<u32> = envelope.recipients.iter().map(|accepted| accepted.proof).collect();
                assert!(!proofs.is_empty() && proofs == self.proofs);
                Answer::Accepted(replies::ok())
            }
            Question::Connect | Question::Helo(_) | Question::Data { .. } | Question::XClient(_) => Answer::Proceed,
        }
    }
}

fn caller(options: u8) -> Caller {
    let offer = Offer {
        starttls: true,
        auth: AuthOffer::Always,
        auth_mechanisms_clear: vec!["LOGIN", "SCRAM-SHA-256"],
        auth_mechanisms_tls: vec!["LOGIN", "SCRAM-SHA-256"],
        auth_form: AuthForm::Standard,
        auth_required: options & 1 != 0,
        tls_required: options & 2 != 0,
    };
    let limits = Limits { message_octets: 200, text_line_octets: 50, body_chunk_octets: 10, ..Limits::default() };
    let syntax = if options & 16 == 0 { Syntax::Lenient } else { Syntax::Strict };
    let config = ServerConfig {
        hostname: "mx.example".into(),
        software: "x".into(),
        limits,
        offer,
        flavour: Flavour::Mx,
        syntax,
        default_domain: "example".parse().ok(),
    };
    let peer = Peer { addr: IpAddr::from([192, 0, 2, 1]), xclient: options & 4 != 0, trusted: options & 32 != 0, tls: false };
    let now = Instant::now();
    let session = Session::new(Arc::new(config), peer, now);
    Caller { session, now, proofs: Vec::new(), next: 0, closed: false }
}

fuzz_target!(|input: (u8, u8, Vec<&[u8]>)| {
    let (options, state, pieces) = input;
    let mut caller = caller(options);
    let mut out = Vec::new();
    caller.session.start(caller.now, &mut out);
    caller.carry_out(out);
    caller.input(Input::Bytes(STATES[usize::from(state) % STATES.len()]));
    if options & 8 != 0 {
        caller.input(Input::TlsUp);
    }
    for piece in pieces {
        caller.input(Input::Bytes(piece));
    }
    caller.input(Input::PeerGone);
    assert!(caller.closed);
});
