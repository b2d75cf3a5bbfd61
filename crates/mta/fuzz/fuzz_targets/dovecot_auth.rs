//! A hostile authentication client, before and after the handshake, and a hostile server: nothing panics, a split changes nothing, no response
//! is printed, and what it sent never makes two lines of a reply.
#![no_main]

use mta::dovecot_auth::{Auth, Client, ClientError, Decoder, DovecotAuthError, Event, Failure, Login, Reply, Step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&[b"VERSION\t1\t2\nCPID\t1\n", data].concat());
    for data in [data, &[b"VERSION\t1\t2\nDONE\n", data].concat()] {
        assert_eq!(steps(data, data.len().max(1)), steps(data, 1));
    }
});

fn check(data: &[u8]) {
    let whole = decode(data, data.len().max(1));
    assert_eq!(whole, decode(data, 1));
    for event in &whole.0 {
        match event {
            Event::Auth(auth) => check_auth(auth),
            Event::Cont { id, response } => one_line(&Reply::Cont { id: *id, challenge: response }, b"CONT\t"),
            Event::Hello { .. } | Event::Cancel { .. } | Event::Malformed { .. } => {}
        }
    }
}

fn check_auth(auth: &Auth) {
    assert!(!auth.service.is_empty() && !auth.mechanism.is_empty() && auth.mechanism.len() <= 20);
    let user = auth.session.as_deref().unwrap_or_default();
    // Nothing here is long enough to be written as a failure.
    one_line(&Reply::Ok { id: auth.id, user, fields: &[("service", &auth.service)] }, b"OK\t");
    let (user, reason) = (Some(user), auth.local_name.as_deref());
    one_line(&Reply::Fail { id: auth.id, user, failure: Failure::Credentials, reason }, b"FAIL\t");
}

fn one_line(reply: &Reply<'_>, word: &[u8]) {
    let mut out = Vec::new();
    reply.write_to(&mut out);
    assert!(out.starts_with(word) || out.starts_with(b"FAIL\t"));
    assert_eq!(out.iter().position(|&octet| octet == b'\n'), Some(out.len() - 1));
}

fn decode(data: &[u8], piece_octets: usize) -> (Vec<Event>, Option<DovecotAuthError>) {
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    for piece in data.chunks(piece_octets) {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_event(), Err(error));
                    return (events, Some(error));
                }
            }
        }
    }
    (events, None)
}

/// Up to the end, one way or the other.
fn steps(data: &[u8], piece_octets: usize) -> (Vec<Step>, Option<ClientError>) {
    let login = Login { login: "a", password: "b", service: "pop3", remote_ip: None, pid: 1 };
    let (mut client, mut steps) = (Client::new(&login), Vec::new());
    for piece in data.chunks(piece_octets) {
        client.push(piece);
        loop {
            match client.next_step() {
                Ok(Some(Step::Close(answer))) => {
                    steps.push(Step::Close(answer));
                    return (steps, None);
                }
                Ok(Some(step)) => steps.push(step),
                Ok(None) => break,
                Err(error) => return (steps, Some(error)),
            }
        }
    }
    (steps, None)
}
