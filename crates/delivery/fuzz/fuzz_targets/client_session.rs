//! A hostile server against the client session, in every state: no panic, bounded output, a report has a fate for each
//! recipient, and what we write is whole lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::client::{
    ClientError, Config, DotWriter, Event, Input, Path, Protocol, ResponseLimits, Session, To, Transaction,
};

const RECIPIENTS: usize = 3;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let protocol = if first & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
    let config = Config { hostname: "me.example".into(), protocol, limits: ResponseLimits::default() };
    let mut session = Session::new(config);
    let mut wire = Vec::new();
    let mut acts = first >> 1;
    for piece in rest.chunks(usize::from(first % 29) + 1) {
        if feed(&mut session, piece, (&mut wire, &mut acts)).is_err() {
            break;
        }
    }
    if let Some(report) = session.abandon() {
        assert_eq!(report.fates.len(), RECIPIENTS);
    }
    assert!(!session.is_open());
});

fn feed(session: &mut Session, piece: &[u8], (wire, acts): (&mut Vec<u8>, &mut u8)) -> Result<(), ClientError> {
    session.handle(Input::Bytes(piece), wire)?;
    while let Some(event) = session.poll(wire)? {
        match event {
            Event::TlsGo => session.handle(Input::TlsUp, wire)?,
            Event::AuthChallenge(_) => session.auth_respond(Some("eA=="), wire)?,
            Event::SendBody => {
                DotWriter::default().finish(wire);
                session.handle(Input::BodySent, wire)?;
            }
            Event::Done(report) => {
                assert_eq!(report.fates.len(), RECIPIENTS);
                act(session, (wire, acts))?;
            }
            _ => act(session, (wire, acts))?,
        }
        assert!(wire.is_empty() || wire.ends_with(b"\r\n"));
        wire.clear();
    }
    Ok(())
}

fn act(session: &mut Session, (wire, acts): (&mut Vec<u8>, &mut u8)) -> Result<(), ClientError> {
    if !session.is_open() {
        return Ok(());
    }
    *acts = acts.rotate_left(1);
    match *acts & 3 {
        0 => session.start_tls(wire),
        1 => session.auth("PLAIN", Some(""), wire),
        _ => session.send(&transaction(), wire).map(drop),
    }
}

fn transaction() -> Transaction {
    let Ok(path) = Path::new("a@b") else { unreachable!() };
    let to = To { path: path.clone(), notify: smtp::Notify::DEFAULT, orcpt: None };
    Transaction {
        reverse_path: path,
        to: vec![to; RECIPIENTS],
        octets: 1,
        eight_bit: true,
        needs_smtputf8: false,
        ret: None,
        envid: None,
    }
}
