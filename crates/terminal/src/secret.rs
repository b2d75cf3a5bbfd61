//! Passwords come from the terminal without echo, or from standard input; never from the command line, which everybody on
//! the machine can read.

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
};

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It was typed twice, and not alike.
    #[error("the two are not the same: type the same password twice")]
    Differ,
    /// Nothing was typed.
    #[error("the password is empty: type one")]
    Empty,
    /// It cannot be read.
    #[error("{from}: {error}")]
    Io {
        /// From where.
        from: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

type Result<T> = std::result::Result<T, SecretError>;

/// Longest line that is read as a password.
const LINE_OCTETS_MAX: usize = 4_096;

/// A new password: asked for twice on a terminal, else the next line of standard input.
pub fn new_password(what: &str) -> Result<SecretString> {
    if !io::stdin().is_terminal() {
        return line_of_stdin();
    }
    let first = ask(&format!("{what}: "))?;
    let again = ask(&format!("{what}, again: "))?;
    if first != again {
        return Err(SecretError::Differ);
    }
    checked(first)
}

/// Asked for once on a terminal, else the next line of standard input.
pub fn password(what: &str) -> Result<SecretString> {
    if io::stdin().is_terminal() { checked(ask(&format!("{what}: "))?) } else { line_of_stdin() }
}

fn line_of_stdin() -> Result<SecretString> {
    let mut line = String::new();
    let stdin = io::stdin();
    io::Read::take(&mut stdin.lock(), LINE_OCTETS_MAX as u64).read_line(&mut line).map_err(of("standard input"))?;
    checked(line)
}

fn checked(mut line: String) -> Result<SecretString> {
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(SecretError::Empty);
    }
    Ok(line.into())
}

fn of(from: &'static str) -> impl Fn(io::Error) -> SecretError {
    move |error| SecretError::Io { from, error }
}

fn ask(prompt: &str) -> Result<String> {
    let mut tty = File::options().read(true).write(true).open("/dev/tty").map_err(of("/dev/tty"))?;
    tty.write_all(prompt.as_bytes()).map_err(of("/dev/tty"))?;
    let mut line = String::new();
    let read = {
        let _silent = Silent::new(&tty).map_err(of("/dev/tty"))?;
        BufReader::new(&tty).read_line(&mut line)
    };
    tty.write_all(b"\n").map_err(of("/dev/tty"))?;
    read.map_err(of("/dev/tty"))?;
    Ok(line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent<'t> {
    tty: &'t File,
    before: Termios,
}

impl<'t> Silent<'t> {
    fn new(tty: &'t File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(tty, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to restore.
        let _ = tcsetattr(self.tty, SetArg::TCSAFLUSH, &self.before);
    }
}
