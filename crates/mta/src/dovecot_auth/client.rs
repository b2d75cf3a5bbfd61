//! The side that asks whether a login is right, by PLAIN (RFC 4616): a login is all that one connection asks.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::escape::{push_escaped, unescape};
use super::{Secret, VERSION_MAJOR};
use crate::lines::{Lines, TooLong};

/// Longest line of the server without its LF, in octets: what we send is never longer.
const LINE_OCTETS_MAX: usize = 8_192;
/// Most lines before the server's handshake is done.
const HANDSHAKE_LINES_MAX: usize = 100;
/// Our minor version: nothing here needs a later one.
const VERSION_MINOR: u32 = 1;
/// The id of the only request.
const ID: &str = "1";

/// A login, and what is told of its client.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// As the client wrote it.
    pub login: &'a str,
    /// The password.
    pub password: &'a str,
    /// `pop3`, `imap`, …
    pub service: &'a str,
    /// From where, if that is known.
    pub remote_ip: Option<IpAddr>,
    /// Our process.
    pub pid: u32,
}

impl Login<'_> {
    /// The client's handshake and its request.
    fn request(&self) -> Secret {
        let plain = Zeroizing::new(["\0", self.login, "\0", self.password].concat());
        let response = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
        let mut out = Vec::with_capacity(response.len() + 2 * self.service.len() + 200);
        let pid = self.pid;
        out.extend_from_slice(format!("VERSION\t{VERSION_MAJOR}\t{VERSION_MINOR}\nCPID\t{pid}\n").as_bytes());
        out.extend_from_slice(format!("AUTH\t{ID}\tPLAIN\tservice=").as_bytes());
        push_escaped(self.service.as_bytes(), &mut out);
        if let Some(ip) = self.remote_ip {
            out.extend_from_slice(format!("\trip={ip}").as_bytes());
        }
        // The last parameter: servers read none behind it.
        out.extend_from_slice(b"\tresp=");
        out.extend_from_slice(response.as_bytes());
        out.push(b'\n');
        Secret::new(out)
    }
}

/// What the server says of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is right.
    Proved(Account),
    /// It is not, or may not be used here.
    Wrong,
    /// It could not be found out.
    Later,
}

/// Whose login it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name. Not empty.
    pub user: String,
    /// The folder of its mailbox, if the server tells.
    pub home: Option<String>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Send(Secret),
    /// Close: there is the answer.
    Close(Answer),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A line longer than we read.
    #[error("auth server: line longer than {LINE_OCTETS_MAX} octets")]
    LineTooLong,
    /// A line that is no text.
    #[error("auth server: line that is not UTF-8")]
    Text,
    /// The handshake has no version, or another major one than ours.
    #[error("auth server: does not speak version {VERSION_MAJOR}")]
    Version,
    /// The handshake does not end.
    #[error("auth server: handshake of more than {HANDSHAKE_LINES_MAX} lines")]
    Handshake,
    /// Something else than an answer to our request.
    #[error("auth server: an answer that is none")]
    Answer,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Handshake { lines: usize, versioned: bool },
    Asked,
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    lines: Lines,
    request: Secret,
    stage: Stage,
}

impl Client {
    /// To ask for this login. Nothing is sent before the server has shown itself.
    pub fn new(login: &Login<'_>) -> Self {
        let stage = Stage::Handshake { lines: 0, versioned: false };
        Self { lines: Lines::new(LINE_OCTETS_MAX), request: login.request(), stage }
    }

    /// Takes what came in. Steps must be taken by [`Client::next_step`] until there is none before more is read, else
    /// nothing bounds what waits here.
    pub fn push(&mut self, octets: &[u8]) {
        self.lines.push(octets);
    }

    /// What is to be done; `None`: more octets are needed. After an error or [`Step::Close`] the connection is of no use.
    pub fn next_step(&mut self) -> Result<Option<Step>, ClientError> {
        while let Some(line) = self.lines.next_line().map_err(|TooLong| ClientError::LineTooLong)? {
            let line = str::from_utf8(line).map_err(|_| ClientError::Text)?;
            let Stage::Handshake { lines, versioned } = &mut self.stage else {
                return Answer::parse(line).map(|answer| Some(Step::Close(answer))).ok_or(ClientError::Answer);
            };
            *lines += 1;
            match line.split_once('\t').unwrap_or((line, "")) {
                ("DONE", "") if *versioned => {
                    self.stage = Stage::Asked;
                    return Ok(Some(Step::Send(std::mem::take(&mut self.request))));
                }
                ("DONE", "") => return Err(ClientError::Version),
                ("VERSION", version) => *versioned |= major(version) == Some(VERSION_MAJOR),
                _ => {}
            }
            if *lines == HANDSHAKE_LINES_MAX {
                return Err(ClientError::Handshake);
            }
        }
        Ok(None)
    }
}

/// Of `MAJOR TAB MINOR`.
fn major(version: &str) -> Option<u32> {
    version.split_once('\t')?.0.parse().ok()
}

impl Answer {
    /// `OK` or `FAIL` with our id.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let word = fields.next()?;
        if fields.next()? != ID {
            return None;
        }
        let field = |name: &str| {
            let mut values = fields.clone().filter_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            String::from_utf8(unescape(values.next()?.as_bytes())).ok().filter(|value| !value.is_empty())
        };
        match word {
            "OK" => Some(Self::Proved(Account { user: field("user")?, home: field("home") })),
            "FAIL" if fields.clone().any(|field| field == "temp" || field == "code=temp_fail") => Some(Self::Later),
            "FAIL" => Some(Self::Wrong),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dovecot_auth::{Decoder, Event, Failure, Handshake, Mechanism, Reply};

    const HELLO: &str = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nDONE\n";

    fn login() -> Login<'static> {
        let remote_ip = Some([192, 0, 2, 7].into());
        Login { login: "alice", password: "se\tcret", service: "pop3", remote_ip, pid: 77 }
    }

    fn steps(octets: &[u8], piece: usize) -> Result<Vec<Step>, ClientError> {
        let (mut client, mut steps) = (Client::new(&login()), Vec::new());
        for piece in octets.chunks(piece) {
            client.push(piece);
            while let Some(step) = client.next_step()? {
                steps.push(step);
            }
        }
        Ok(steps)
    }

    /// What is answered after the handshake.
    fn answer(line: &str) -> Result<Option<Answer>, ClientError> {
        let steps = steps(format!("{HELLO}{line}\n").as_bytes(), 7)?;
        Ok(steps.into_iter().find_map(|step| if let Step::Close(answer) = step { Some(answer) } else { None }))
    }

    #[test]
    fn requests() {
        let request = |login: Login<'_>| String::from_utf8(login.request().to_vec()).unwrap();
        let expected =
            "VERSION\t1\t1\nCPID\t77\nAUTH\t1\tPLAIN\tservice=pop3\trip=192.0.2.7\tresp=AGFsaWNlAHNlCWNyZXQ=\n";
        assert_eq!(request(login()), expected);
        let without = request(Login { remote_ip: None, service: "imap", ..login() });
        assert!(without.contains("\tservice=imap\tresp="), "{without}");
        let hostile = request(Login { service: "a\tb\nc", ..login() });
        assert_eq!(hostile.lines().count(), 3, "{hostile}");
    }

    #[test]
    fn answers() {
        let proved = |user: &str, home: Option<&str>| {
            Some(Answer::Proved(Account { user: user.into(), home: home.map(Into::into) }))
        };
        let table = [
            ("OK\t1\tuser=alice@example.test", proved("alice@example.test", None)),
            ("OK\t1\tuser=a\thome=/mail/a\u{1}tb\tx", proved("a", Some("/mail/a\tb"))),
            ("OK\t1\thome=\tuser=a\u{1}1", proved("a\u{1}", None)),
            ("OK\t1\tuser=", None),
            ("OK\t1", None),
            ("OK\t2\tuser=alice", None),
            ("OK", None),
            ("FAIL\t1\tuser=alice", Some(Answer::Wrong)),
            ("FAIL\t1\tuser=alice\ttemp", Some(Answer::Later)),
            ("FAIL\t1\tcode=temp_fail", Some(Answer::Later)),
            ("FAIL\t1\tuser_disabled", Some(Answer::Wrong)),
            ("FAIL\t2", None),
            ("CONT\t1\t", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(answer(line), expected.map(Some).ok_or(ClientError::Answer), "{line:?}");
        }
    }

    #[test]
    fn only_a_whole_ok_is_a_login() {
        let sent = || Step::Send(login().request());
        assert_eq!(steps(HELLO.as_bytes(), 5), Ok(vec![sent()]));
        assert_eq!(steps([HELLO, "OK\t1\tuser=al"].concat().as_bytes(), 5), Ok(vec![sent()]), "cut off");
        assert_eq!(steps(b"VERSION\t1\t2\n", 5), Ok(vec![]));
        let table: [(&[u8], ClientError); 6] = [
            (b"VERSION\t2\t0\nDONE\n", ClientError::Version),
            (b"DONE\n", ClientError::Version),
            (b"VERSION\t1\t2\nMECH\t\xff\n", ClientError::Text),
            (&b"MECH\tPLAIN\n".repeat(HANDSHAKE_LINES_MAX), ClientError::Handshake),
            (&b"x".repeat(LINE_OCTETS_MAX + 1), ClientError::LineTooLong),
            (b"VERSION\t1\t2\nDONE\nDONE\n", ClientError::Answer),
        ];
        for (octets, error) in table {
            assert_eq!(steps(octets, 100), Err(error), "{}", octets[..octets.len().min(40)].escape_ascii());
        }
    }

    #[test]
    fn both_sides_understand_each_other() {
        let (mut client, mut server, mut out) = (Client::new(&login()), Decoder::default(), Vec::new());
        let mechanisms = &[Mechanism::PLAIN];
        Handshake { mechanisms, pid: 1, connection: 2, cookie: [3; 16] }.write_to(&mut out);
        client.push(&out);
        let Ok(Some(Step::Send(request))) = client.next_step() else { panic!("it asks") };
        server.push(&request);
        assert_eq!(server.next_event(), Ok(Some(Event::Hello { minor: VERSION_MINOR, pid: 77 })));
        let Ok(Some(Event::Auth(auth))) = server.next_event() else { panic!("it is understood") };
        assert_eq!((auth.service.as_str(), auth.remote_ip), ("pop3", login().remote_ip));
        assert_eq!(auth.initial_response.as_deref(), Some(&b"\0alice\0se\tcret"[..]));
        let ok = Reply::Ok { id: auth.id, user: "alice@example.test", fields: &[("home", "/mail/a\tb")] };
        let fail = |failure| Reply::Fail { id: 1, user: Some("alice"), failure, reason: Some("no") };
        let account = Account { user: "alice@example.test".into(), home: Some("/mail/a\tb".into()) };
        let table = [
            (ok, Answer::Proved(account)),
            (fail(Failure::Credentials), Answer::Wrong),
            (fail(Failure::UserDisabled), Answer::Wrong),
            (fail(Failure::Temporary), Answer::Later),
        ];
        for (reply, expected) in table {
            out.clear();
            reply.write_to(&mut out);
            assert_eq!(answer(str::from_utf8(&out).unwrap().trim_end()), Ok(Some(expected)), "{reply:?}");
        }
    }
}
