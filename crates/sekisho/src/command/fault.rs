//! How a command fails: the exit code, and what is said on standard error.

use admin::client::ClientError;
use admin::wire::{Problem, ProblemKind};
use annotate_snippets::Renderer;
use anstyle::{AnsiColor, Style};
use config::ConfigError;
use serve::StartError;
use std::process::ExitCode;

use super::global::Form;

/// The exit codes of every command, besides 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It is not so, there is no such thing, or a danger was found.
    No = 1,
    /// Wrong use, or a bad configuration.
    Usage = 2,
    /// It may work later (`EX_TEMPFAIL` of sysexits).
    Temporary = 75,
    /// The same in the words of qmail's programs.
    Qmail = 111,
}

/// Why a command ends with another code than 0.
#[derive(Debug)]
pub struct Fault {
    exit: Exit,
    error: anyhow::Error,
}

impl Fault {
    /// A fault with its code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// A code alone: what there is to say was said.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, anyhow::anyhow!(""))
    }

    /// The code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What is wrong, in one line.
    pub fn said(&self) -> String {
        format!("{:#}", self.error).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Says what is wrong, for people or as one object, and gives the code.
    pub fn tell(&self, form: Form) -> ExitCode {
        if form == Form::Json {
            self.tell_json();
        } else if let Some(ConfigError::Mistaken(report)) = self.error.downcast_ref() {
            anstream::eprintln!("{}", report.render(&Renderer::styled()));
        } else if !self.error.to_string().is_empty() {
            let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
            anstream::eprintln!("{red}sekisho:{red:#} {:#}", self.error);
        }
        ExitCode::from(self.exit as u8)
    }

    /// `{"error":{"code":2,"message":"…"}}`; nothing where all was said.
    fn tell_json(&self) {
        let message = match self.error.downcast_ref() {
            Some(ConfigError::Mistaken(report)) => report.render(&Renderer::plain()),
            _ => format!("{:#}", self.error),
        };
        if !message.is_empty() {
            eprintln!("{}", serde_json::json!({ "error": { "code": self.exit as u8, "message": message } }));
        }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        let start = error.downcast_ref::<StartError>();
        let bad_configuration = error.is::<ConfigError>() || start.is_some_and(StartError::is_of_configuration);
        Self { exit: if bad_configuration { Exit::Usage } else { Exit::Temporary }, error }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self { exit: Exit::Temporary, error: error.into() }
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        let exit = match error {
            ClientError::Problem(problem) => return problem.into(),
            ClientError::Refused { status, .. } if !status.is_server_error() => Exit::Usage,
            _ => Exit::Temporary,
        };
        Self { exit, error: error.into() }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let exit = match problem.kind {
            ProblemKind::NotFound | ProblemKind::Exists | ProblemKind::InUse | ProblemKind::WrongPassword => Exit::No,
            ProblemKind::Invalid | ProblemKind::Refused => Exit::Usage,
            ProblemKind::Temporary => Exit::Temporary,
        };
        Self { exit, error: anyhow::anyhow!(problem.error) }
    }
}
