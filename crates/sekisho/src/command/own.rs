//! `sekisho passwd` and `sekisho account`: what users do with their own account.

use super::{
    args::{Account, Own},
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{or_blank, show, table},
};
use account::client::ask;
use account::wire::{self, Answer, Kind, Proof, Question, Refusal, Wish};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::path::PathBuf;
use terminal::{secret, time};

/// Where packages put the socket: a user may not be able to read the configuration that says so.
const SOCKET: &str = "/run/sekisho/account.sock";

pub(super) fn passwd(own: &Own, global: &Global) -> Result<(), Fault> {
    let asking = Asking::begin(own, global)?;
    let new = secret::new_password("New password")?;
    let done = asking.ask(Wish::Password { new: new.expose_secret().to_owned() })?;
    told(&done, global, |login| format!("{login} has a new password: change it in your programs, too."))
}

pub(super) fn account(command: &Account, global: &Global) -> Result<(), Fault> {
    match command {
        Account::Show(own) => match Asking::begin(own, global)?.ask(Wish::Show)? {
            Answer::Account(account) => show(global.form(), &account, text),
            other => Err(unexpected(&other)),
        },
        Account::Revoke { device, own } => {
            let done = Asking::begin(own, global)?.ask(Wish::Revoke { device: device.clone() })?;
            told(&done, global, |_| format!("The device {device} is cut off."))
        }
    }
}

/// Questions as one user.
struct Asking {
    socket: PathBuf,
    proof: Option<(String, secrecy::SecretString)>,
}

impl Asking {
    /// By the user of this machine if that is enough; else login and password are asked for.
    fn begin(own: &Own, global: &Global) -> Result<Self, Fault> {
        let socket = socket(own, global)?;
        let who = asked(&socket, &Question { proof: None, wish: Wish::Who })?;
        let login = match (&own.login, who) {
            (Some(login), _) => Some(login.typed().to_owned()),
            (None, Answer::Login(Some(_))) => None,
            (None, _) => return Err(Fault::new(Exit::Usage, anyhow::anyhow!("whose account? Say --login LOGIN"))),
        };
        let secret = |login: &String| secret::password(&format!("Password of {login}"));
        let proof = login.map(|login| secret(&login).map(|password| (login, password))).transpose()?;
        Ok(Self { socket, proof })
    }

    fn ask(&self, wish: Wish) -> Result<Answer, Fault> {
        let proof = |(login, password): &(String, secrecy::SecretString)| Proof {
            login: login.clone(),
            password: password.expose_secret().to_owned(),
        };
        asked(&self.socket, &Question { proof: self.proof.as_ref().map(proof), wish })
    }
}

fn socket(own: &Own, global: &Global) -> Result<PathBuf, Fault> {
    match (&own.socket, client::settings(global)) {
        (Some(socket), _) => Ok(socket.clone()),
        (None, Ok(settings)) => Ok(settings.account.socket),
        // One that was named must be read.
        (None, Err(fault)) if global.config.is_some() => Err(fault),
        (None, Err(_)) => Ok(SOCKET.into()),
    }
}

fn asked(socket: &std::path::Path, question: &Question) -> Result<Answer, Fault> {
    match ask(socket, question).map_err(|error| Fault::new(Exit::Temporary, error))? {
        Answer::Refused(Refusal { kind, error }) => {
            let exit = match kind {
                Kind::Denied | Kind::NotFound => Exit::No,
                Kind::Invalid | Kind::PasswordWanted => Exit::Usage,
                Kind::Temporary => Exit::Temporary,
            };
            Err(Fault::new(exit, anyhow::anyhow!(error)))
        }
        answer => Ok(answer),
    }
}

fn told(answer: &Answer, global: &Global, text: impl FnOnce(&str) -> String) -> Result<(), Fault> {
    match answer {
        Answer::Done(login) => show(global.form(), &json!({ "ok": true }), |_| text(login)),
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: &Answer) -> Fault {
    Fault::new(Exit::Temporary, anyhow::anyhow!("the server answers something else than it was asked: {answer:?}"))
}

fn text(account: &wire::Account) -> String {
    let rows = [
        ("login", account.login.clone()),
        ("name", account.name.clone()),
        ("quota", account.quota_octets.map(keep::size::exact).unwrap_or_default()),
        ("expires", account.expires_at.map(time::local_minute).unwrap_or_default()),
    ];
    let rows = rows.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:<10} {value}\n"));
    let row = |it: &wire::Device| {
        let used = it.last_used_at.map(time::local_minute);
        [it.name.clone(), it.login.clone(), or_blank(used.as_ref()), or_blank(it.last_used_from.as_ref())]
    };
    let devices = table(["DEVICE", "LOGIN", "LAST USED", "LAST FROM"], account.devices.iter().map(row));
    let devices = if account.devices.is_empty() { "No devices.".to_owned() } else { devices };
    format!("{}\n{devices}", rows.collect::<String>())
}

impl From<secret::SecretError> for Fault {
    fn from(error: secret::SecretError) -> Self {
        let exit = if matches!(error, secret::SecretError::Io { .. }) { Exit::Temporary } else { Exit::Usage };
        Self::new(exit, error)
    }
}
