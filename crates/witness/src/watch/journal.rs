//! The system's journal, by `journalctl` as a child of ours.
//!
//! It is asked for JSON: a message with an LF in it stays one entry there, and the program that wrote it is told beside it.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::UnixStream;

/// Longest entry, in octets; a longer one is passed over.
const ENTRY_OCTETS_MAX: u64 = 16 * 1024;

/// A running `journalctl`; it is ended with this value.
#[derive(Debug)]
pub struct Journal {
    child: Child,
    entries: BufReader<UnixStream>,
    entry: Vec<u8>,
}

/// The fields of an entry that are asked for. Text that is not UTF-8 comes as a list of numbers.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    program: Value,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
}

impl Journal {
    /// Follows a unit's entries from now on.
    pub fn follow(unit: &str) -> io::Result<Self> {
        let (ours, theirs) = Pair::pair()?;
        ours.shutdown(Shutdown::Write)?;
        ours.set_nonblocking(true)?;
        let entries = BufReader::new(UnixStream::from_std(ours)?);
        let child = Command::new("journalctl")
            .args(["--quiet", "--follow", "--lines=0", "--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER"])
            .arg(format!("--unit={unit}"))
            .stdin(Stdio::null())
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, entries, entry: Vec::new() })
    }

    /// The next entry as a line of syslog; `None`: `journalctl` has ended.
    pub async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            self.entry.clear();
            if (&mut self.entries).take(ENTRY_OCTETS_MAX).read_until(b'\n', &mut self.entry).await? == 0 {
                return Ok(None);
            }
            if !self.entry.ends_with(b"\n") {
                self.pass_over().await?;
            } else if let Some(line) = line(&self.entry) {
                return Ok(Some(line));
            }
        }
    }

    async fn pass_over(&mut self) -> io::Result<()> {
        while !self.entry.ends_with(b"\n") {
            self.entry.clear();
            if (&mut self.entries).take(ENTRY_OCTETS_MAX).read_until(b'\n', &mut self.entry).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Ends it, and says how it ended.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        // One that has ended by itself cannot be killed any more.
        let _ = self.child.kill();
        self.child.wait()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Who was killed does not keep us waiting; who has been waited for is not waited for again.
        let _ = self.end();
    }
}

fn line(entry: &[u8]) -> Option<String> {
    let entry: Entry = serde_json::from_slice(entry).ok()?;
    Some(format!("{}: {}", entry.program.as_str()?, entry.message.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::line::read;
    use config::WatchFormat;

    #[test]
    fn an_entry_is_a_line_of_its_program() {
        let entry = br#"{"__CURSOR":"s=1","MESSAGE":"LOGIN, user=alice, ip=[::ffff:192.0.2.7], port=[5]","SYSLOG_IDENTIFIER":"pop3d"}"#;
        let line = line(entry).unwrap();
        assert_eq!(line, "pop3d: LOGIN, user=alice, ip=[::ffff:192.0.2.7], port=[5]");
        assert!(read(WatchFormat::Courier, line.as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_entry_of_text() {
        for entry in [
            &b"not json"[..],
            br#"{"MESSAGE":null,"SYSLOG_IDENTIFIER":"pop3d"}"#,
            br#"{"MESSAGE":[76,255],"SYSLOG_IDENTIFIER":"pop3d"}"#,
            br#"{"MESSAGE":"x"}"#,
            br#"{"SYSLOG_IDENTIFIER":["a","b"],"MESSAGE":"x"}"#,
        ] {
            assert_eq!(line(entry), None, "{}", entry.escape_ascii());
        }
        let forged = br#"{"MESSAGE":"x\nNov 22 03:04:05 mx pop3d: LOGIN, user=alice, ip=[203.0.113.9]","SYSLOG_IDENTIFIER":"pop3d"}"#;
        let line = line(forged).unwrap();
        assert_eq!(read(WatchFormat::Courier, line.as_bytes()), None, "an LF begins no line");
    }
}
