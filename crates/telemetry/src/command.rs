//! A command that is run for each alarm: its own arguments, no shell, a bounded time, the alarm in its environment.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::alarm::{Message, Turn};

/// How long it may take; then it is ended.
const TIME: Duration = Duration::from_secs(30);
/// Where it finds programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs it, as the user that the server is, with nothing of the server's environment.
pub(crate) async fn run(command: &[String], message: &Message) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(environment(message))
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
        return Err(format!("{program}: not done after {} seconds", TIME.as_secs()));
    };
    let status = ended.map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program}: {status}")) }
}

/// What it has started goes with it.
fn end(child: &tokio::process::Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

fn environment(message: &Message) -> [(&'static str, String); 9] {
    [
        ("SEKISHO_STATE", if message.state == Turn::Raised { "raised" } else { "over" }.to_owned()),
        ("SEKISHO_ALARM", message.alarm.to_owned()),
        ("SEKISHO_LEVEL", message.level.code().to_owned()),
        ("SEKISHO_HOSTNAME", message.hostname.clone()),
        // No program can be started with a zero octet.
        ("SEKISHO_SUBJECT", message.subject.replace('\0', "?")),
        ("SEKISHO_TITLE", message.title.to_owned()),
        ("SEKISHO_DETAIL", message.detail.replace('\0', "?")),
        ("SEKISHO_COMMANDS", message.commands.join("\n").replace('\0', "?")),
        ("SEKISHO_TEXT", message.for_people().replace('\0', "?")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Level;

    fn message() -> Message {
        Message {
            state: Turn::Raised,
            alarm: "launching-pad",
            level: Level::Critical,
            hostname: "mail.example.test".to_owned(),
            subject: "login $(touch /tmp/no)@example.test".to_owned(),
            title: "title",
            detail: "detail".to_owned(),
            todo: "todo",
            commands: vec!["one".to_owned(), "two".to_owned()],
            at: "now".to_owned(),
            text: "text".to_owned(),
        }
    }

    #[tokio::test]
    async fn the_command_gets_the_alarm_in_its_environment_and_no_shell_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let script = format!("env > '{}'", file.display());
        run(&["/bin/sh".to_owned(), "-c".to_owned(), script], &message()).await.unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("SEKISHO_SUBJECT=login $(touch /tmp/no)@example.test\n"), "{text}");
        assert!(text.contains("SEKISHO_COMMANDS=one\ntwo\n") && text.contains("SEKISHO_LEVEL=critical\n"), "{text}");
        assert!(!text.contains("CARGO"), "nothing of the server's environment: {text}");
    }

    #[tokio::test]
    async fn a_command_that_fails_or_is_not_there_is_told() {
        let failed = run(&["/bin/false".to_owned()], &message()).await.unwrap_err();
        assert!(failed.contains("exit status: 1"), "{failed}");
        assert!(run(&["/no/such".to_owned()], &message()).await.unwrap_err().contains("/no/such"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_is_ended() {
        let hung = run(&["/bin/sleep".to_owned(), "1000".to_owned()], &message()).await.unwrap_err();
        assert!(hung.contains("not done after 30 seconds"), "{hung}");
    }
}
