//! `dns-01`: a program of the operator's publishes the record and removes it (RFC 8555 §8.4).

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Wanted;
use crate::AcmeError;

/// How long the program may take: it returns when the record can be seen everywhere.
const TIME: Duration = Duration::from_mins(10);
/// Where it finds programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A record that is published.
#[derive(Debug)]
pub(crate) struct Record {
    command: Vec<String>,
    name: String,
    value: String,
}

impl Record {
    pub(super) async fn publish(command: &[String], wanted: &Wanted) -> Result<Self, AcmeError> {
        let name = format!("_acme-challenge.{}", wanted.name);
        let record = Self { command: command.to_vec(), name, value: wanted.answer.dns_value() };
        match record.run("add").await {
            Ok(()) => Ok(record),
            Err(why) => {
                // It may have published it all the same.
                record.remove().await;
                Err(AcmeError::Here(format!("tls.acme.hook {why}")))
            }
        }
    }

    pub(super) async fn remove(self) {
        if let Err(why) = self.run("remove").await {
            tracing::warn!(why = ?why, name = self.name, "answer left");
        }
    }

    /// As the user that the server is, with nothing of the server's environment.
    async fn run(&self, what: &str) -> Result<(), String> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        let mut child = Command::new(program)
            .args(arguments)
            .arg(what)
            .env_clear()
            .env("PATH", PATH)
            .env("SEKISHO_ACME_NAME", &self.name)
            .env("SEKISHO_ACME_VALUE", &self.value)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let Ok(ended) = tokio::time::timeout(TIME, child.wait()).await else {
            end(&child);
            return Err(format!("{program} {what}: not done after {} minutes", TIME.as_secs() / 60));
        };
        let status = ended.map_err(|error| format!("{program}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{program} {what}: {status}")) }
    }
}

/// What it has started goes with it.
fn end(child: &tokio::process::Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(script: &str) -> Record {
        let command = ["/bin/sh", "-c", script, "hook"].map(str::to_owned).to_vec();
        Record { command, name: "_acme-challenge.a.test".to_owned(), value: "value".to_owned() }
    }

    #[tokio::test]
    async fn the_program_is_told_what_to_publish_and_how_it_ended_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let script = format!("echo $1 $SEKISHO_ACME_NAME $SEKISHO_ACME_VALUE $CARGO >> '{}'", file.display());
        let record_there = record(&script);
        record_there.run("add").await.unwrap();
        record_there.remove().await;
        let said = std::fs::read_to_string(file).unwrap();
        assert_eq!(said, "add _acme-challenge.a.test value\nremove _acme-challenge.a.test value\n");
        assert!(record("exit 3").run("add").await.unwrap_err().contains("exit status: 3"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_hangs_is_ended() {
        let hung = record("sleep 10000").run("add").await.unwrap_err();
        assert!(hung.contains("not done after 10 minutes"), "{hung}");
    }
}
