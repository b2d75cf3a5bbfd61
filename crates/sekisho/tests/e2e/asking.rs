//! Clients of the interfaces for other mail servers, as small as they can be.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::{Demo, PATIENCE};

/// From where it is asked that the mail server does not have the recipient.
pub(crate) const FOREIGN: (&str, &str) = ("policy_context", "foreign");

/// A connection to a `policy` listener.
pub(crate) struct Policy<S = TcpStream> {
    stream: S,
    heard: Vec<u8>,
}

/// A connection to a `socketmap` listener.
pub(crate) struct Maps {
    stream: TcpStream,
    heard: Vec<u8>,
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One request: the stage, then what is told.
pub(crate) fn request(stage: &str, attributes: &[(&str, &str)]) -> String {
    let mut text = format!("request=smtpd_access_policy\nprotocol_state={stage}\nprotocol_name=ESMTP\n");
    for (name, value) in [("helo_name", "client.example")].iter().chain(attributes) {
        let _ = writeln!(text, "{name}={value}");
    }
    text + "\n"
}

impl Policy {
    pub(crate) fn connect(demo: &Demo) -> Self {
        Self { stream: connect(demo.port("policy")), heard: Vec::new() }
    }
}

impl Policy<UnixStream> {
    pub(crate) fn connect_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, heard: Vec::new() }
    }
}

impl<S: Read + Write> Policy<S> {
    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        // A peer that has closed shows in the next answer, which is then empty.
        let _ = self.stream.write_all(octets.as_ref());
    }

    /// The next action; empty when the peer has closed.
    pub(crate) fn action(&mut self) -> String {
        let whole = |heard: &[u8]| heard.windows(2).position(|two| two == b"\n\n").map(|at| at + 2);
        let answer = take(&mut self.stream, &mut self.heard, whole);
        let Some(answer) = answer else { return String::new() };
        answer.trim_end().strip_prefix("action=").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    pub(crate) fn ask(&mut self, stage: &str, attributes: &[(&str, &str)]) -> String {
        self.send(request(stage, attributes));
        self.action()
    }

    /// At RCPT, behind `permit_auth_destination`: the mail server does not have the recipient.
    pub(crate) fn rcpt(&mut self, client: &str, from: &str, to: &str) -> String {
        self.ask("RCPT", &[("client_address", client), ("sender", from), ("recipient", to), FOREIGN])
    }
}

impl Maps {
    pub(crate) fn connect(demo: &Demo) -> Self {
        Self { stream: connect(demo.port("socketmap")), heard: Vec::new() }
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(octets.as_ref());
    }

    /// The next answer; empty when the peer has closed.
    pub(crate) fn answer(&mut self) -> String {
        let whole = |heard: &[u8]| {
            let colon = heard.iter().position(|&octet| octet == b':')?;
            let length: usize = String::from_utf8_lossy(&heard[..colon]).parse().unwrap();
            (heard.len() > colon + 1 + length).then_some(colon + length + 2)
        };
        let Some(answer) = take(&mut self.stream, &mut self.heard, whole) else { return String::new() };
        let (_, text) = answer.split_once(':').unwrap();
        text.strip_suffix(',').unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// Asks a map, `MAP KEY`.
    pub(crate) fn ask(&mut self, question: &str) -> String {
        self.send(format!("{}:{question},", question.len()));
        self.answer()
    }

    /// Nothing more will be said.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

fn take(stream: &mut impl Read, heard: &mut Vec<u8>, whole: impl Fn(&[u8]) -> Option<usize>) -> Option<String> {
    loop {
        if let Some(end) = whole(heard) {
            let rest = heard.split_off(end);
            return Some(String::from_utf8(std::mem::replace(heard, rest)).unwrap());
        }
        let mut piece = [0; 4096];
        let octets = stream.read(&mut piece).unwrap_or(0);
        if octets == 0 {
            assert!(heard.is_empty(), "half an answer: {}", heard.escape_ascii());
            return None;
        }
        heard.extend_from_slice(&piece[..octets]);
    }
}

/// A connection to a `milter` listener, on which a mail server tells of one SMTP session.
pub(crate) struct Milter {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Milter {
    /// Negotiates version 6 with everything, and tells of a client.
    pub(crate) fn connect(demo: &Demo, client: &str) -> Self {
        Self::greeted_as(demo, client, "client.example")
    }

    /// The same, of a client that greets so.
    pub(crate) fn greeted_as(demo: &Demo, client: &str, helo: &str) -> Self {
        let mut milter = Self { stream: connect(demo.port("milter")), heard: Vec::new() };
        let offer = [6u32, 0x1ff, 0x001f_ffff].map(u32::to_be_bytes).concat();
        milter.send(b'O', &offer);
        assert_eq!(milter.reply().0, b'O');
        let family = if client.contains(':') { '6' } else { '4' };
        milter.send(b'C', format!("client.example\0{family}\u{4}\u{1}{client}\0").as_bytes());
        assert_eq!(milter.reply().0, b'c');
        milter.send(b'H', format!("{helo}\0").as_bytes());
        assert_eq!(milter.reply().0, b'c');
        milter
    }

    fn send(&mut self, command: u8, data: &[u8]) {
        let length = u32::try_from(data.len() + 1).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], &[command], data].concat()).unwrap();
    }

    fn reply(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).unwrap();
        let length = usize::try_from(u32::from_be_bytes([head[0], head[1], head[2], head[3]])).unwrap();
        self.heard.resize(length - 1, 0);
        self.stream.read_exact(&mut self.heard).unwrap();
        (head[4], std::mem::take(&mut self.heard))
    }

    /// A transaction up to its first recipient, given up then: `continue`, or the reply that the client would see.
    pub(crate) fn rcpt(&mut self, login: Option<&str>, from: &str, to: &str) -> String {
        let said = self.begin(login, from, to);
        self.send(b'A', b"");
        said
    }

    /// The same, with its message if the recipient may be taken.
    pub(crate) fn mail(&mut self, login: Option<&str>, from: &str, to: &str) -> String {
        let said = self.begin(login, from, to);
        if said == "continue" {
            assert_eq!(self.end(), "continue");
        } else {
            self.send(b'A', b"");
        }
        said
    }

    /// The same of a client that speaks TLS.
    pub(crate) fn rcpt_under(&mut self, version: &str, from: &str, to: &str) -> String {
        self.send(b'D', format!("M{{tls_version}}\0{version}\0").as_bytes());
        self.rcpt(None, from, to)
    }

    fn begin(&mut self, login: Option<&str>, from: &str, to: &str) -> String {
        let said = self.from(login, from);
        if said == "continue" { self.to(to) } else { said }
    }

    /// MAIL: `continue`, or the reply that the client would see.
    pub(crate) fn from(&mut self, login: Option<&str>, from: &str) -> String {
        if let Some(login) = login {
            self.send(b'D', format!("M{{auth_authen}}\0{login}\0").as_bytes());
        }
        self.send(b'M', format!("<{from}>\0").as_bytes());
        self.said()
    }

    /// RCPT.
    pub(crate) fn to(&mut self, to: &str) -> String {
        self.send(b'R', format!("<{to}>\0").as_bytes());
        self.said()
    }

    /// RCPT, with the mailer that the mail server has chosen for it.
    pub(crate) fn rcpt_by(&mut self, mailer: &str, to: &str) -> String {
        self.send(b'D', format!("R{{rcpt_mailer}}\0{mailer}\0").as_bytes());
        self.to(to)
    }

    /// The end of the message.
    pub(crate) fn end(&mut self) -> String {
        self.send(b'E', b"");
        self.said()
    }

    fn said(&mut self) -> String {
        match self.reply() {
            (b'c', _) => "continue".to_owned(),
            // Percent signs are doubled on the wire.
            (b'y', text) => String::from_utf8(text).unwrap().trim_end_matches('\0').replace("%%", "%"),
            (other, _) => panic!("{:?} is no answer here", char::from(other)),
        }
    }
}
