//! `sekisho checkpassword`: the checkpassword interface of qmail's POP servers (<https://cr.yp.to/checkpwd/interface.html>).
//!
//! Login and password come on descriptor 3, the running server checks them and keeps the login as evidence, and the
//! program that follows is started in its mailbox with `USER` and `HOME`. Exit codes are the interface's: 1 a wrong login, 2 wrong use,
//! 111 try later.

use super::args::Checkpassword;
use super::fault::{Exit, Fault};
use super::place::{Line, Place};
use super::ucspi::remote_ip;
use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// Most octets on descriptor 3.
const INPUT_OCTETS_MAX: usize = 512;
/// How long the server may take: it makes those wait who guess.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest line of the server, in octets.
const LINE_OCTETS_MAX: u64 = 8_192;
/// Most lines before its handshake is done.
const HANDSHAKE_LINES_MAX: usize = 100;

/// Runs the command: becomes the program, or ends with the interface's code.
pub(super) fn run(args: &Checkpassword) -> Result<(), Fault> {
    let credentials = from_descriptor_3()?;
    let client = remote_ip().map(|ip| ip.to_string());
    if let Err(error) = &client {
        anstream::eprintln!("sekisho checkpassword: {error:#}: the login will be no right to relay");
    }
    let request = request(&credentials, &args.service, client.ok().as_deref());
    let answer = ask(&args.dovecot_auth, &request).with_context(|| args.dovecot_auth.to_string());
    match answer.map_err(|error| Fault::new(Exit::Qmail, error))? {
        Answer::Proved(who) => Err(become_program(&args.program, &who)),
        Answer::Wrong => Err(Fault::new(Exit::No, anyhow!("login refused"))),
        Answer::Later => Err(Fault::new(Exit::Qmail, anyhow!("the login cannot be checked now"))),
    }
}

/// What a client of POP says it is.
struct Credentials {
    login: String,
    password: SecretString,
}

fn from_descriptor_3() -> Result<Credentials, Fault> {
    let mut octets = Vec::with_capacity(INPUT_OCTETS_MAX + 1);
    let read = File::open("/dev/fd/3").and_then(|pipe| pipe.take(INPUT_OCTETS_MAX as u64 + 1).read_to_end(&mut octets));
    let octets = SecretSlice::from(octets);
    // The program must not have it.
    let closed = nix::unistd::close(3).map_err(io::Error::from);
    read.and(closed).context("descriptor 3").map_err(|error| Fault::new(Exit::Usage, error))?;
    credentials(octets.expose_secret())
        .ok_or_else(|| Fault::new(Exit::Usage, anyhow!("descriptor 3: not a login, a password and a timestamp")))
}

/// `LOGIN NUL PASSWORD NUL TIMESTAMP NUL`; APOP, whose timestamp is not empty, is not to be had this way.
fn credentials(octets: &[u8]) -> Option<Credentials> {
    if octets.len() > INPUT_OCTETS_MAX {
        return None;
    }
    let mut fields = octets.split(|&octet| octet == 0);
    let (login, password, _timestamp) = (fields.next()?, fields.next()?, fields.next()?);
    fields.next()?;
    let text = |field| str::from_utf8(field).ok().map(str::to_owned);
    Some(Credentials { login: text(login)?, password: text(password)?.into() })
}

/// The handshake of a client and the request, as Dovecot's clients send them.
fn request(credentials: &Credentials, service: &str, client: Option<&str>) -> SecretString {
    let Credentials { login, password } = credentials;
    let plain: SecretString = format!("\0{login}\0{}", password.expose_secret()).into();
    let response: SecretString = STANDARD.encode(plain.expose_secret()).into();
    let rip = client.map(|ip| format!("\trip={ip}")).unwrap_or_default();
    let pid = std::process::id();
    format!("VERSION\t1\t1\nCPID\t{pid}\nAUTH\t1\tPLAIN\tservice={service}{rip}\tresp={}\n", response.expose_secret())
        .into()
}

/// What the server says of a login.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Proved(Who),
    Wrong,
    Later,
}

/// Who has logged in.
#[derive(Debug, PartialEq, Eq)]
struct Who {
    user: String,
    home: Option<String>,
}

fn ask(place: &Place, request: &SecretString) -> anyhow::Result<Answer> {
    let mut line = Line::connect(place, ANSWER)?;
    let mut versioned = false;
    for _ in 0..HANDSHAKE_LINES_MAX {
        match &*next_line(&mut line)? {
            "DONE" => {
                anyhow::ensure!(versioned, "no version");
                line.send(request.expose_secret().as_bytes())?;
                return answer(&next_line(&mut line)?).ok_or_else(|| anyhow!("an answer that is none"));
            }
            text if text.starts_with("VERSION\t1\t") => versioned = true,
            _ => {}
        }
    }
    Err(anyhow!("a handshake without an end"))
}

fn next_line(line: &mut Line) -> anyhow::Result<String> {
    Ok(String::from_utf8(line.read_to(b'\n', LINE_OCTETS_MAX)?)?)
}

/// Takes an answer to our request apart.
fn answer(line: &str) -> Option<Answer> {
    let mut fields = line.split('\t');
    let word = fields.next()?;
    if fields.next()? != "1" {
        return None;
    }
    let field = |name: &str| fields.clone().find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(plain);
    match word {
        "OK" => {
            let user = field("user").filter(|user| !user.is_empty())?;
            Some(Answer::Proved(Who { user, home: field("home").filter(|home| !home.is_empty()) }))
        }
        "FAIL" if fields.clone().any(|field| field == "temp" || field == "code=temp_fail") => Some(Answer::Later),
        "FAIL" => Some(Answer::Wrong),
        _ => None,
    }
}

/// A value without its escapes: octet 1 and a letter stand for what would end it.
fn plain(value: &str) -> String {
    let mut characters = value.chars();
    let mut plain = String::with_capacity(value.len());
    while let Some(character) = characters.next() {
        let escaped = if character == '\u{1}' { characters.next() } else { None };
        plain.push(match escaped {
            None => character,
            Some('1') => '\u{1}',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('n') => '\n',
            Some(other) => other,
        });
    }
    plain
}

/// Becomes the program; it returns only when that fails.
fn become_program(program: &[std::ffi::OsString], who: &Who) -> Fault {
    let Some((name, arguments)) = program.split_first() else {
        return Fault::new(Exit::Usage, anyhow!("no program"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env("USER", &who.user);
    match &who.home {
        // A program that opens `./` must not find anything else there: where this is no folder it does not start.
        Some(home) => command.env("HOME", home).current_dir(home),
        // What is inherited is somebody else's.
        None => command.env_remove("HOME"),
    };
    let error = anyhow!(command.exec()).context(name.display().to_string());
    Fault::new(Exit::Qmail, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_3() {
        let read = |octets: &[u8]| credentials(octets).map(|c| (c.login, c.password.expose_secret().to_owned()));
        let pair = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        assert_eq!(read(b"alice@example.test\0secret\0Y123456\0"), pair("alice@example.test", "secret"));
        assert_eq!(read(b"alice\0\0\0"), pair("alice", ""));
        assert_eq!(read(b"alice\0secret\0\0more"), pair("alice", "secret"));
        for octets in [&b""[..], b"alice", b"alice\0secret", b"alice\0secret\0", b"alice\0secret\0now", b"\xff\0a\0b\0"]
        {
            assert_eq!(read(octets), None, "{}", octets.escape_ascii());
        }
        let long = |octets: usize| [&vec![b'a'; octets - 9][..], b"\0secret\0\0"].concat();
        assert!(read(&long(512)).is_some());
        assert!(read(&long(513)).is_none());
    }

    #[test]
    fn requests() {
        let credentials = Credentials { login: "alice".into(), password: "se\tcret".to_owned().into() };
        let pid = std::process::id();
        let expected = format!(
            "VERSION\t1\t1\nCPID\t{pid}\nAUTH\t1\tPLAIN\tservice=pop3\trip=192.0.2.7\tresp=AGFsaWNlAHNlCWNyZXQ=\n"
        );
        assert_eq!(request(&credentials, "pop3", Some("192.0.2.7")).expose_secret(), expected);
        let without = request(&credentials, "imap", None);
        assert!(without.expose_secret().contains("\tservice=imap\tresp="));
    }

    #[test]
    fn answers() {
        let proved = |user: &str, home: Option<&str>| {
            Some(Answer::Proved(Who { user: user.into(), home: home.map(Into::into) }))
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
            assert_eq!(answer(line), expected, "{line:?}");
        }
    }

    /// A server that greets with this and answers with that.
    fn auth_server(greeting: &'static str, reply: &'static str) -> Place {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Inet(listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            io::Write::write_all(&mut stream, greeting.as_bytes()).unwrap();
            if !greeting.ends_with("DONE\n") {
                return;
            }
            let mut reader = io::BufReader::new(&stream);
            for _ in 0..3 {
                if io::BufRead::read_line(&mut reader, &mut String::new()).unwrap() == 0 {
                    return;
                }
            }
            io::Write::write_all(&mut &stream, reply.as_bytes()).unwrap();
        });
        place
    }

    #[test]
    fn only_a_whole_ok_is_a_login() {
        let hello = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nDONE\n";
        let request = SecretString::from("VERSION\t1\t1\nCPID\t1\nAUTH\t1\tPLAIN\tservice=pop3\tresp=\n");
        let asked = |greeting, reply| ask(&auth_server(greeting, reply), &request).ok();
        assert!(matches!(asked(hello, "OK\t1\tuser=alice\n"), Some(Answer::Proved(_))));
        assert_eq!(asked(hello, "FAIL\t1\n"), Some(Answer::Wrong));
        assert_eq!(asked(hello, "OK\t1\tuser=al"), None, "cut off");
        assert_eq!(asked(hello, ""), None);
        assert_eq!(asked("VERSION\t2\t0\nDONE\n", "OK\t1\tuser=alice\n"), None);
        assert_eq!(asked("DONE\n", "OK\t1\tuser=alice\n"), None);
        assert_eq!(asked("VERSION\t1\t2\n", "OK\t1\tuser=alice\n"), None);
    }
}
