//! Passwords come from the terminal without echo, or from standard input; never from the command line, which everybody on
//! the machine can read.

use super::fault::{Exit, Fault};
use anyhow::{Context as _, anyhow};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
};

/// Longest line that is read as a password.
const LINE_OCTETS_MAX: usize = 4_096;

/// A new password: asked for twice on a terminal, else the next line of standard input.
pub(super) fn new_password(what: &str) -> Result<SecretString, Fault> {
    if !io::stdin().is_terminal() {
        return line_of_stdin();
    }
    let first = ask(&format!("{what}: "))?;
    let again = ask(&format!("{what}, again: "))?;
    if first != again {
        return Err(Fault::new(Exit::Usage, anyhow!("the two are not the same")));
    }
    checked(first)
}

/// Asked for once on a terminal, else the next line of standard input.
pub(super) fn password(what: &str) -> Result<SecretString, Fault> {
    if io::stdin().is_terminal() { checked(ask(&format!("{what}: "))?) } else { line_of_stdin() }
}

fn line_of_stdin() -> Result<SecretString, Fault> {
    let mut line = String::new();
    let stdin = io::stdin();
    io::Read::take(&mut stdin.lock(), LINE_OCTETS_MAX as u64).read_line(&mut line).context("standard input")?;
    checked(line)
}

fn checked(mut line: String) -> Result<SecretString, Fault> {
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Fault::new(Exit::Usage, anyhow!("the password is empty")));
    }
    Ok(line.into())
}

fn ask(prompt: &str) -> Result<String, Fault> {
    let mut tty = File::options().read(true).write(true).open("/dev/tty").context("/dev/tty")?;
    tty.write_all(prompt.as_bytes()).context("/dev/tty")?;
    let mut line = String::new();
    let read = {
        let _silent = Silent::new(&tty).context("/dev/tty")?;
        BufReader::new(&tty).read_line(&mut line)
    };
    tty.write_all(b"\n").context("/dev/tty")?;
    read.context("/dev/tty")?;
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
