//! `sekisho checkpassword`: the checkpassword interface of qmail's POP servers (<https://cr.yp.to/checkpwd/interface.html>).
//!
//! Login and password come on descriptor 3, the running server checks them and keeps the login as evidence, and the
//! program that follows is started in its mailbox with `USER` and `HOME`. Exit codes are the interface's: 1 a wrong login, 2 wrong use,
//! 111 try later.

use super::args::Checkpassword;
use super::connection::{Connection, Endpoint};
use super::fault::{Exit, Fault};
use super::ucspi::remote_ip;
use anyhow::{Context as _, anyhow};
use mta::dovecot_auth::{Account, Answer, Client, Login, Step};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serve::deliver::ensure_maildir;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Most octets on descriptor 3.
const INPUT_OCTETS_MAX: usize = 512;
/// How long the server may take: it makes those wait who guess.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs the command: becomes the program, or ends with the interface's code.
pub(super) fn run(args: &Checkpassword) -> Result<(), Fault> {
    let credentials = from_descriptor_3()?;
    let client = remote_ip();
    if let Err(error) = &client {
        anstream::eprintln!("sekisho checkpassword: {error:#}: the login will be no right to relay");
    }
    let login = Login {
        login: &credentials.login,
        password: credentials.password.expose_secret(),
        service: &args.service,
        remote_ip: client.ok(),
        pid: std::process::id(),
    };
    let answer = ask(&args.dovecot_auth, &login).with_context(|| args.dovecot_auth.to_string());
    match answer.map_err(|error| Fault::new(Exit::Qmail, error))? {
        Answer::Proved(account) => Err(become_program(&args.program, &account)),
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

fn ask(endpoint: &Endpoint, login: &Login<'_>) -> anyhow::Result<Answer> {
    let mut connection = Connection::connect(endpoint, ANSWER)?;
    let mut client = Client::new(login);
    loop {
        match client.next_step()? {
            Some(Step::Send(request)) => connection.send(&request)?,
            Some(Step::Close(answer)) => return Ok(answer),
            None => client.push(connection.receive()?),
        }
    }
}

/// Becomes the program; it returns only when that fails.
fn become_program(program: &[std::ffi::OsString], account: &Account) -> Fault {
    let Some((name, arguments)) = program.split_first() else {
        return Fault::new(Exit::Usage, anyhow!("no program"));
    };
    let mut command = Command::new(name);
    command.args(arguments).env("USER", &account.user);
    match &account.home {
        // A program that opens `./` must not find anything else there: where this is no folder it does not start. An account to
        // which nothing was delivered yet has none.
        Some(home) => {
            let home = Path::new(home);
            if let Err(error) = if home.exists() { Ok(()) } else { ensure_maildir(home) } {
                return Fault::new(Exit::Qmail, anyhow!(error).context(home.display().to_string()));
            }
            command.env("HOME", home).current_dir(home)
        }
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

    /// A server that greets with this and answers with that.
    fn auth_server(greeting: &'static str, reply: &'static str) -> Endpoint {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
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
        endpoint
    }

    #[test]
    fn only_a_whole_ok_is_a_login() {
        let hello = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nDONE\n";
        let login = Login { login: "alice", password: "secret", service: "pop3", remote_ip: None, pid: 1 };
        let asked = |greeting, reply| ask(&auth_server(greeting, reply), &login).ok();
        assert!(matches!(asked(hello, "OK\t1\tuser=alice\n"), Some(Answer::Proved(_))));
        assert_eq!(asked(hello, "FAIL\t1\n"), Some(Answer::Wrong));
        assert_eq!(asked(hello, "OK\t1\tuser=al"), None, "cut off");
        assert_eq!(asked(hello, ""), None);
        assert_eq!(asked("VERSION\t2\t0\nDONE\n", "OK\t1\tuser=alice\n"), None);
        assert_eq!(asked("DONE\n", "OK\t1\tuser=alice\n"), None);
        assert_eq!(asked("VERSION\t1\t2\n", "OK\t1\tuser=alice\n"), None);
    }
}
