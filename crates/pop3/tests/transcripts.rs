//! Plays `tests/transcripts/*.pop3` on the pure session.
//!
//! `C: …` is a line of the client, `S: …` a line of the server, `#` a comment. `C| …` adds a line to the same packet as
//! the line before it. `! word` is a deed of the world: `tls` (the handshake is done), `idle SECONDS`, `shutdown`, `cut`,
//! `gone`, `auth-down`, `locked`. `*` at the end of an expected line stands for anything. `closed` after `!` says that
//! the session must have ended, `deleted 1 2` which messages must have been deleted, `deleted` that none were.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]
#![expect(clippy::disallowed_methods, reason = "an Instant to begin with cannot be had otherwise")]

use pop3::stuff::DotWriter;
use pop3::{Answer, Config, Input, Limits, Listing, Offer, Output, Peer, PlainText, Question, Session, replies};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MESSAGES: [&str; 3] =
    ["Subject: one\n\nfirst line\n.dot\nlast line\n", "Subject: two\r\n\r\n", "Subject: three\n\nno line end"];
const BANNER: &str = "<1896.697170952@dbc.mtview.ca.us>";

/// A driver with one account, mrose, whose password is tanstaaf and whose mechanisms are PLAIN and a toy of two steps.
struct World {
    session: Session,
    now: Instant,
    toy_step: u32,
    auth_down: bool,
    locked: bool,
    said: VecDeque<String>,
    bytes: Vec<u8>,
    deleted: Vec<u32>,
    awaits_tls: bool,
}

impl World {
    fn new(options: &str) -> Self {
        let offer = Offer {
            stls: true,
            user_pass: if options.contains("clear") { PlainText::Always } else { PlainText::UnderTls },
            auth_mechanisms_clear: vec!["TOY"],
            auth_mechanisms_tls: vec!["TOY", "PLAIN"],
        };
        let limits = Limits { errors: 5, ..Limits::default() };
        let config = Config { software: "Sekisho".into(), limits, offer };
        let tls = options.contains("tls");
        let peer = Peer { tls, apop_banner: (!options.contains("no-apop")).then(|| BANNER.into()) };
        let now = Instant::now();
        let mut world = Self {
            session: Session::new(Arc::new(config), peer, now),
            now,
            toy_step: 0,
            auth_down: false,
            locked: false,
            said: VecDeque::new(),
            bytes: Vec::new(),
            deleted: Vec::new(),
            awaits_tls: false,
        };
        let mut out = Vec::new();
        world.session.start(&mut out);
        world.act(out);
        world
    }

    fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.session.handle(input, self.now, &mut out);
        self.act(out);
    }

    fn act(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply(reply) => reply.write_to(&mut self.bytes),
                Output::Lines(mut lines) => while lines.fill(&mut self.bytes, 1) {},
                Output::Ask(question) => {
                    let answer = self.answer(question);
                    self.input(Input::Answer(answer));
                }
                Output::StartTls(_) => self.awaits_tls = true,
                Output::Close => assert!(self.session.is_closed()),
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        if self.auth_down
            && matches!(question, Question::UserPass { .. } | Question::Apop { .. } | Question::AuthStart { .. })
        {
            return Answer::Refuse(replies::auth_unavailable());
        }
        let known = |ok: bool| {
            let login = ok.then(|| Answer::Authenticated { login: "mrose".into(), last: None });
            login.unwrap_or_else(|| Answer::AuthFailed(replies::auth_failed()))
        };
        match question {
            Question::UserPass { user, pass } => known(user == "mrose" && &*pass == b"tanstaaf"),
            Question::Apop { user, digest, banner } => {
                assert_eq!(banner, BANNER);
                known(user == "mrose" && digest[..4] == [0xc4, 0xc9, 0x33, 0x4b])
            }
            Question::AuthStart { mechanism: "PLAIN", initial: Some(initial) } => {
                known(&*initial == b"\0mrose\0tanstaaf")
            }
            Question::AuthStart { mechanism: "PLAIN", initial: None } => Answer::AuthChallenge(Vec::new()),
            Question::AuthStart { .. } => {
                self.toy_step = 1;
                Answer::AuthChallenge(b"who".to_vec())
            }
            Question::AuthStep(Some(octets)) if self.toy_step == 0 => known(&*octets == b"\0mrose\0tanstaaf"),
            Question::AuthStep(Some(octets)) => {
                self.toy_step = 0;
                match &*octets {
                    b"mrose" => Answer::Authenticated { login: "mrose".into(), last: Some(b"fine".to_vec()) },
                    _ => known(false),
                }
            }
            Question::Connect | Question::AuthStep(None) => Answer::Proceed,
            Question::OpenMaildrop { .. } if self.locked => Answer::Refuse(replies::in_use()),
            Question::OpenMaildrop { login } => {
                assert_eq!(login, "mrose");
                Answer::Maildrop(Arc::new(listing()))
            }
            Question::Message(wanted) => {
                wanted.opening().write_to(&mut self.bytes);
                let mut writer = DotWriter::new(wanted.lines);
                writer.push(MESSAGES[wanted.number as usize - 1].as_bytes(), &mut self.bytes);
                writer.finish(&mut self.bytes);
                Answer::Sent
            }
            Question::Commit { deleted } => {
                self.deleted = deleted;
                Answer::Proceed
            }
        }
    }

    fn deed(&mut self, deed: &str) {
        match deed.split_once(' ').unwrap_or((deed, "")) {
            ("tls", _) => {
                assert!(std::mem::take(&mut self.awaits_tls), "STLS was not agreed on");
                self.input(Input::TlsUp);
            }
            ("idle", secs) => {
                self.now += Duration::from_secs(secs.parse().unwrap());
                self.input(Input::Timeout);
            }
            ("shutdown", _) => self.input(Input::Shutdown),
            ("cut", _) => self.input(Input::Cut),
            ("gone", _) => self.input(Input::PeerGone),
            ("auth-down", _) => self.auth_down = true,
            ("locked", _) => self.locked = true,
            ("unlocked", _) => self.locked = false,
            ("closed", _) => assert!(self.session.is_closed(), "the session goes on"),
            ("deleted", numbers) => {
                let numbers: Vec<u32> = numbers.split_whitespace().map(|n| n.parse().unwrap()).collect();
                assert_eq!(self.deleted, numbers);
            }
            _ => panic!("no such deed: {deed}"),
        }
    }

    fn next_line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
        self.said.extend(text.split_terminator("\r\n").map(str::to_owned));
        self.said.pop_front()
    }
}

fn listing() -> Listing {
    MESSAGES
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let octets = text.replace("\r\n", "\n").replace('\n', "\r\n").len() as u64;
            (octets, format!("{:08x}4c7b1d3f", at + 1))
        })
        .collect()
}

fn play(text: &str) {
    let options = text.lines().next().unwrap_or_default();
    let mut world = World::new(options);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let at = format!("line {}: {line}", index + 1);
        match line.split_at(line.len().min(2)) {
            ("" | "# ", _) => {}
            ("! ", deed) => world.deed(deed),
            ("C:", command) => {
                let mut packet = format!("{}\r\n", unescape(command));
                while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with("C|")) {
                    packet += &unescape(&more[2..]);
                    packet += "\r\n";
                }
                assert!(world.next_line().is_none_or(|said| panic!("{at}: before it the server said {said:?}")));
                world.input(Input::Bytes(packet.as_bytes()));
            }
            ("S:", expected) => {
                let said = world.next_line().unwrap_or_else(|| panic!("{at}: silence"));
                let expected = expected.strip_prefix(' ').unwrap_or(expected);
                let fits = expected.strip_suffix('*').map_or(said == expected, |head| said.starts_with(head));
                assert!(fits, "{at}: the server said {said:?}");
            }
            _ => panic!("{at}: not understood"),
        }
    }
    assert_eq!(world.next_line(), None, "more was said than the transcript has");
}

fn unescape(text: &str) -> String {
    let text = text.strip_prefix(' ').unwrap_or(text).replace("\\0", "\0").replace("\\t", "\t");
    text.split_once("{x").map_or(text.clone(), |(head, times)| {
        head.to_owned() + &"x".repeat(times.trim_end_matches('}').parse().unwrap())
    })
}

/// All that is said to these packets.
fn said(options: &str, packets: &[&[u8]]) -> Vec<u8> {
    let mut world = World::new(options);
    for packet in packets {
        world.input(Input::Bytes(packet));
    }
    world.bytes
}

proptest::proptest! {
    #[test]
    fn any_split_of_the_input_gives_the_same(
        lines in proptest::collection::vec(proptest::sample::select(&[
            "USER mrose", "PASS tanstaaf", "PASS no", "STAT", "LIST", "RETR 1", "TOP 1 1", "DELE 1", "UIDL", "AUTH TOY",
            "bXJvc2U=", "*", "", "QUIT", "CAPA", "RSET", "NOPE", "USER {x600}", "USER {x505}", "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm",
        ][..]), 0..12),
        cuts in proptest::collection::vec(0usize..1500, 0..6),
    ) {
        let text = lines.iter().fold(String::new(), |text, line| text + &unescape(line) + "\r\n");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        proptest::prop_assert_eq!(said("clear", &pieces), said("clear", &[text.as_bytes()]));
    }

    #[test]
    fn no_bytes_panic(packets in proptest::collection::vec(proptest::collection::vec(0u8..128, 0..700), 0..8)) {
        let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let _ = said("clear", &packets);
    }
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
}

#[test]
fn transcripts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut played = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        play(&std::fs::read_to_string(&path).unwrap());
        played += 1;
    }
    assert!(played >= 10);
}
