//! A hostile mail server in every state: nothing panics, each event gets one reply, what goes out is whole packets, and
//! a client's macros go with it.
#![no_main]

use mta::milter::{Actions, Config, Event, MilterError, Misuse, Modification, Reply, Session, Stage, Steps};
use libfuzzer_sys::fuzz_target;

/// What brings a session into a state.
const STATES: &[&[u8]] = &[
    b"",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
    b"\0\0\0\x0dO\0\0\0\x02\0\0\0\x3f\0\0\0\x7f",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x10Ch\x004\x04\xd2192.0.2.7\0",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x10Ch\x004\x04\xd2192.0.2.7\0\0\0\0\x14DMi\0A\0auth_authen\0a\0\0\0\0\x07M<a@b>\0",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x10Ch\x004\x04\xd2192.0.2.7\0\0\0\0\x07M<a@b>\0\0\0\0\x07R<c@d>\0\0\0\0\x01T",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x10Ch\x004\x04\xd2192.0.2.7\0\0\0\0\x07M<a@b>\0\0\0\0\x01E",
];

fn config(options: u8) -> Config {
    let all = [
        Steps::CONNECT,
        Steps::HELO,
        Steps::MAIL,
        Steps::RCPT,
        Steps::BODY,
        Steps::HEADERS,
        Steps::END_OF_HEADERS,
        Steps::UNKNOWN,
        Steps::DATA,
        Steps::SKIP,
        Steps::REFUSED_RCPT,
    ];
    let some = all.into_iter().enumerate().filter(|(at, _)| options & 1 == 0 || (options >> (at % 7 + 1)) & 1 == 0);
    Config {
        actions: Actions::ADD_HEADERS.or(Actions::REPLACE_BODY).or(Actions::CHANGE_FROM),
        steps: some.map(|(_, step)| step).fold(Steps::NONE, Steps::or),
        macros: vec![(Stage::Connect, "j {client_addr}")],
        header_octets_max: 100,
    }
}

fn chosen(choice: u8) -> Reply {
    match choice % 8 {
        0 => Reply::Accept,
        1 => Reply::Reject,
        2 => Reply::Tempfail,
        3 => Reply::Discard,
        4 => Reply::Skip,
        _ => Reply::Continue,
    }
}

fn answer(session: &mut Session, choice: u8, out: &mut Vec<u8>) {
    assert_eq!(session.next_event(out), Err(MilterError::Misuse(Misuse::ReplyOwed)));
    let (header, before) = (Modification::AddHeader { name: "A", value: "b" }, out.len());
    let may_change = session.modify(&header, out).is_ok();
    assert_eq!(may_change, out.len() > before);
    if session.reply(&chosen(choice), out).is_err() {
        session.reply(&Reply::Continue, out).unwrap();
    }
    assert_eq!(session.reply(&Reply::Continue, out), Err(Misuse::NothingAsked));
}

/// Everything that went out is packets.
fn assert_whole(mut out: &[u8]) {
    while let Some((length, rest)) = out.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        assert!((1..=65_536).contains(&length) && rest.len() >= length);
        out = &rest[length..];
    }
    assert!(out.is_empty());
}

fuzz_target!(|input: (u8, u8, Vec<u8>, Vec<&[u8]>)| {
    let (options, state, choices, pieces) = input;
    let (mut session, mut out) = (Session::new(config(options)), Vec::new());
    let mut choices = choices.into_iter();
    for piece in std::iter::once(STATES[usize::from(state) % STATES.len()]).chain(pieces) {
        session.push(piece);
        while let Ok(Some(event)) = session.next_event(&mut out) {
            if matches!(event, Event::NextConnection | Event::Quit) {
                assert_eq!(session.macro_value("auth_authen"), None);
            }
            if event.wants_reply() {
                answer(&mut session, choices.next().unwrap_or(7), &mut out);
            }
        }
    }
    assert_whole(&out);
});
