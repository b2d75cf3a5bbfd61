//! Conversations with real mail servers, octet by octet, and laws for any.

use super::*;
use proptest::prelude::*;

/// Recorded on a loopback interface. `S:` the server's octets, `E:` the event that they make, `V:` a macro's value then,
/// `V-` a macro that is not there, `M:` a modification and `A:` a reply by the caller, `F:` the filter's octets.
const TRANSCRIPTS: &[(&str, &str)] = &[
    ("miltertest_v6", include_str!("transcripts/miltertest_v6.txt")),
    ("postfix_v2", include_str!("transcripts/postfix_v2.txt")),
    ("postfix_v6", include_str!("transcripts/postfix_v6.txt")),
    ("sendmail_v6", include_str!("transcripts/sendmail_v6.txt")),
];

fn everything() -> Config {
    let actions = [
        Actions::CHANGE_HEADERS,
        Actions::CHANGE_FROM,
        Actions::ADD_RECIPIENTS,
        Actions::DELETE_RECIPIENTS,
        Actions::REPLACE_BODY,
    ];
    let steps = [Steps::HEADERS, Steps::END_OF_HEADERS, Steps::BODY, Steps::UNKNOWN, Steps::SKIP];
    let base = Config::default();
    Config {
        actions: actions.into_iter().fold(base.actions, Actions::or),
        steps: steps.into_iter().fold(base.steps, Steps::or),
        ..base
    }
}

fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'\\', [b'x', high, low, tail @ ..]) = (first, tail) {
            let digits = [*high, *low];
            octets.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            rest = tail;
        } else {
            octets.push(*first);
            rest = tail;
        }
    }
    octets
}

fn shown(event: &Event) -> String {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let path = |path: &[u8], params: &[Vec<u8>]| {
        let words: Vec<_> = std::iter::once(path).chain(params.iter().map(Vec::as_slice)).map(text).collect();
        words.join(" ")
    };
    match event {
        Event::Connect { hostname, addr, port } => {
            format!("connect {} {} {port}", text(hostname), addr.map_or("-".to_owned(), |addr| addr.to_string()))
        }
        Event::Helo(name) => format!("helo {}", text(name)),
        Event::Mail { path: from, params } => format!("mail {}", path(from, params)),
        Event::Rcpt { path: to, params, refused: false } => format!("rcpt {}", path(to, params)),
        Event::Rcpt { path: to, params, refused: true } => format!("rcpt-refused {}", path(to, params)),
        Event::Data => "data".to_owned(),
        Event::Header { name, value } => format!("header {}: {}", text(name), text(value)),
        Event::EndOfHeaders => "end-of-headers".to_owned(),
        Event::Body(piece) => format!("body {}", piece.len()),
        Event::EndOfMessage(piece) => format!("end-of-message {}", piece.len()),
        Event::Unknown(line) => format!("unknown {}", text(line)),
        Event::Abort => "abort".to_owned(),
        Event::NextConnection => "next-connection".to_owned(),
        Event::Quit => "quit".to_owned(),
    }
}

fn reply(text: &str) -> Reply {
    match text {
        "continue" => Reply::Continue,
        "skip" => Reply::Skip,
        "discard" => Reply::Discard,
        refusal => {
            let words: Vec<_> = refusal.splitn(4, ' ').collect();
            let &["refuse", code, enhanced, text] = words.as_slice() else { panic!("{refusal}") };
            let parts: Vec<u16> = enhanced.split('.').map(|part| part.parse().unwrap()).collect();
            let enhanced = smtp::Enhanced(u8::try_from(parts[0]).unwrap(), parts[1], parts[2]);
            let lines = text.split(" / ").map(|line| line.to_owned().into()).collect();
            Reply::Refuse(smtp::Reply::lines(code.parse().unwrap(), Some(enhanced), lines))
        }
    }
}

fn modify(session: &Session, text: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
    let text = String::from_utf8(octets(text)).unwrap();
    let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    let (name, value) = second.split_once(' ').unwrap_or((second, ""));
    let modification = match kind {
        "progress" => return session.progress(out),
        "add" => Modification::AddHeader { name: first, value: second },
        "insert" => Modification::InsertHeader { index: first.parse().unwrap(), name, value },
        "change" => Modification::ChangeHeader { index: first.parse().unwrap(), name, value },
        "from" => Modification::ChangeFrom { path: first, params: second },
        "rcpt" => Modification::AddRecipient { path: first, params: second },
        "delete" => Modification::DeleteRecipient { path: first },
        "body" => Modification::ReplaceBody(rest.as_bytes()),
        "quarantine" => Modification::Quarantine { reason: rest },
        other => panic!("{other}"),
    };
    session.modify(&modification, out)
}

fn perform(session: &mut Session, line: &str, out: &mut Vec<u8>) {
    let (kind, text) = (&line[..2], line.get(3..).unwrap_or_default());
    match kind {
        "S:" => {
            assert_eq!(session.next_event(out), Ok(None), "no event was left out before {line}");
            session.push(&octets(text));
            // The negotiation is answered without an event.
            if octets(text).get(4) == Some(&b'O') {
                assert_eq!(session.next_event(out), Ok(None));
            }
        }
        "E:" => assert_eq!(session.next_event(out).unwrap().map(|event| shown(&event)).as_deref(), Some(text)),
        "V:" => {
            let (name, value) = text.split_once(' ').unwrap_or((text, ""));
            assert_eq!(session.macro_value(name), Some(value.as_bytes()), "{name}");
        }
        "V-" => assert_eq!(session.macro_value(text), None, "{text}"),
        "M:" => modify(session, text, out).unwrap(),
        "A:" => session.reply(&reply(text), out).unwrap(),
        "F:" => assert_eq!(std::mem::take(out).escape_ascii().to_string(), octets(text).escape_ascii().to_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn conversations_as_recorded() {
    for (name, transcript) in TRANSCRIPTS {
        println!("{name}");
        let (mut session, mut out) = (Session::new(everything()), Vec::new());
        let mut lines = 0;
        for line in transcript.lines().filter(|line| !line.starts_with('#')) {
            println!("{line}");
            perform(&mut session, line, &mut out);
            lines += 1;
        }
        assert_eq!(session.next_event(&mut out), Ok(None));
        assert!(out.is_empty() && lines > 40);
    }
}

/// All that the servers of the transcripts said.
fn recorded(transcript: &str) -> Vec<u8> {
    transcript.lines().filter_map(|line| line.strip_prefix("S: ")).flat_map(octets).collect()
}

/// Gives `input` in pieces and answers everything with "continue". What comes out is events and octets, up to the first
/// error.
fn continued(input: &[u8], cuts: &[usize]) -> (Vec<Event>, Vec<u8>, Option<MilterError>) {
    let (mut session, mut events, mut out) = (Session::new(everything()), Vec::new(), Vec::new());
    let mut from = 0;
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(input.len());
    for end in ends {
        session.push(&input[from..end]);
        from = end;
        loop {
            match session.next_event(&mut out) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    if event.wants_reply() {
                        assert_eq!(session.next_event(&mut out), Err(Misuse::ReplyOwed.into()));
                        session.reply(&Reply::Continue, &mut out).unwrap();
                    }
                    assert_eq!(session.reply(&Reply::Continue, &mut out), Err(Misuse::NothingAsked));
                    events.push(event);
                }
                Err(error) => {
                    assert!(session.is_closed() && session.next_event(&mut out) == Err(error));
                    return (events, out, Some(error));
                }
            }
        }
    }
    (events, out, None)
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    let command = proptest::sample::select(b"OOOCCDDHMMRRTLNBEEUAKQ?".to_vec());
    let data = prop_oneof![
        Just(b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff".to_vec()),
        Just(b"h\x004\x04\xd2192.0.2.7\0".to_vec()),
        Just(b"<a@b>\0".to_vec()),
        Just(b"a\0b\0".to_vec()),
        Just(b"Mi\0A1\0".to_vec()),
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    (any::<bool>(), proptest::collection::vec((command, data), 0..12)).prop_map(|(is_begun, packets)| {
        let mut input = if is_begun { b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff".to_vec() } else { Vec::new() };
        for (command, data) in packets {
            packet::write(command, &[&data], &mut input);
        }
        input
    })
}

proptest! {
    #[test]
    fn cuts_make_no_difference(which in 0..TRANSCRIPTS.len(), cuts in proptest::collection::vec(any::<usize>(), 0..60)) {
        let input = recorded(TRANSCRIPTS[which].1);
        let whole = continued(&input, &[]);
        prop_assert_eq!(&whole.2, &None);
        prop_assert_eq!(whole, continued(&input, &cuts));
    }

    #[test]
    fn cuts_make_no_difference_to_what_is_wrong(
        input in prop_oneof![packets(), proptest::collection::vec(any::<u8>(), 0..300)],
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        prop_assert_eq!(continued(&input, &[]), continued(&input, &cuts));
    }
}
