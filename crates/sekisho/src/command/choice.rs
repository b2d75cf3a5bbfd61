//! `sekisho user choice`.

use super::{
    args::{Choice, ChoiceCommand, Senders, Switch},
    fault::Fault,
    global::Global,
    table::{list, show},
};
use admin::client::{Client, Method, percent};
use admin::wire;
use secrecy::ExposeSecret as _;
use serde_json::json;
use terminal::secret;

pub(super) async fn run(client: &mut Client, args: Choice, global: &Global) -> Result<(), Fault> {
    let change = wire::ChoiceChange::default();
    let (login, change) = match args.command {
        ChoiceCommand::List { login } => {
            let choices: wire::Choices = client.get(&path(&login.full(global)?)).await?;
            return show(global.form(), &choices, text);
        }
        ChoiceCommand::Accept(Senders { login, senders }) => (login, wire::ChoiceChange { accept: senders, ..change }),
        ChoiceCommand::Refuse(Senders { login, senders }) => (login, wire::ChoiceChange { refuse: senders, ..change }),
        ChoiceCommand::Remove(Senders { login, senders }) => (login, wire::ChoiceChange { remove: senders, ..change }),
        ChoiceCommand::Only { login, switch } => {
            let accept_only = Some(match switch {
                Switch::On => wire::OnOff::On,
                Switch::Off => wire::OnOff::Off,
            });
            (login, wire::ChoiceChange { accept_only, ..change })
        }
    };
    let login = login.full(global)?;
    let password = if args.own { Some(secret::password(&format!("Password of {login}"))?) } else { None };
    let password = password.map(|it| it.expose_secret().to_owned());
    let change = wire::ChoiceChange { password, ..change };
    client.tell(Method::POST, &path(&login), Some(&change)).await?;
    show(global.form(), &json!({ "ok": true }), |_| format!("The choices of {login} are changed."))
}

fn path(login: &str) -> String {
    format!("/v1/accounts/{}/choices", percent(login))
}

fn text(choices: &wire::Choices) -> String {
    let rows = choices.accept.iter().map(|sender| ["accept", sender]);
    let rows = rows.chain(choices.refuse.iter().map(|sender| ["refuse", sender]));
    let list = list(["CHOICE", "SENDER"], rows.map(|row| row.map(str::to_owned)), ["choice", "choices"]);
    match choices.accept_only {
        wire::OnOff::On => format!("{list}\nWhoever else writes from outside is refused."),
        wire::OnOff::Off => list,
    }
}
