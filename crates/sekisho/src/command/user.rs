//! `sekisho user` and `sekisho user device`.

use super::{
    args::{Device, DeviceAdd, DeviceList, Passwd, User, UserAdd},
    choice, client,
    fault::Fault,
    global::Global,
    secret,
    table::{or_blank, show, table, yes},
};
use admin::client::{Client, Method, percent};
use admin::wire;
use secrecy::ExposeSecret as _;
use serde_json::json;

pub(super) async fn run(command: User, global: &Global) -> Result<(), Fault> {
    let mut client = client::accounts(global).await?;
    match command {
        User::Add(args) => add(&mut client, args, global).await,
        User::Passwd(args) => passwd(&mut client, &args, global).await,
        User::List(of) => {
            let query = of.domain.map(|domain| format!("?domain={}", percent(&domain))).unwrap_or_default();
            let accounts: Vec<wire::Account> = client.get(&format!("/v1/accounts{query}")).await?;
            show(global.form(), &accounts, |accounts| account_table(accounts))
        }
        User::Show(of) => {
            let account: wire::Account = client.get(&path(&of.login)).await?;
            show(global.form(), &account, account_text)
        }
        User::Delete(of) => {
            client.tell(Method::DELETE, &path(&of.login), None::<&()>).await?;
            done(global, &of.login, "is deleted; its mailbox stays")
        }
        User::Lock(of) => {
            client.tell(Method::POST, &format!("{}/lock", path(&of.login)), None::<&()>).await?;
            done(global, &of.login, "is locked")
        }
        User::Unlock(of) => {
            client.tell(Method::DELETE, &format!("{}/lock", path(&of.login)), None::<&()>).await?;
            done(global, &of.login, "may log in again")
        }
        User::Choice(args) => choice::run(&mut client, args, global).await,
        User::Device(Device::Add(args)) => add_device(&mut client, args, global).await,
        User::Device(Device::List(of)) => list_devices(&mut client, of, global).await,
        User::Device(Device::Revoke(of)) => {
            let path = format!("/v1/devices/{}", percent(&of.login));
            client.tell(Method::DELETE, &path, None::<&()>).await?;
            done(global, &of.login, "is cut off")
        }
    }
}

fn path(login: &str) -> String {
    format!("/v1/accounts/{}", percent(login))
}

fn done(global: &Global, login: &str, what: &str) -> Result<(), Fault> {
    show(global.form(), &json!({ "ok": true }), |_| format!("{login} {what}."))
}

async fn add(client: &mut Client, args: UserAdd, global: &Global) -> Result<(), Fault> {
    let secret = match (args.no_password, args.hash) {
        (true, _) => None,
        (false, true) => Some(secret::password(&format!("Hash of {}", args.login))?),
        (false, false) => Some(secret::new_password(&format!("Password of {}", args.login))?),
    };
    let secret = secret.map(|it| it.expose_secret().to_owned());
    let (password, hash) = if args.hash { (None, secret) } else { (secret, None) };
    let new = wire::NewAccount {
        login: args.login,
        password,
        hash,
        quota_octets: args.quota,
        apop_only: args.apop_only,
        new_domain: args.new_domain,
    };
    let made: wire::Account = client.ask(Method::POST, "/v1/accounts", Some(&new)).await?;
    show(global.form(), &made, |made| format!("{} is made.", made.login))
}

async fn passwd(client: &mut Client, args: &Passwd, global: &Global) -> Result<(), Fault> {
    let text = |it: secrecy::SecretString| it.expose_secret().to_owned();
    let login = &args.login;
    let new = if args.hash {
        let hash = secret::password(&format!("Hash of {login}")).map(text)?;
        wire::NewPassword { password: None, hash: Some(hash), old: None }
    } else {
        let old = if args.old { Some(secret::password(&format!("Old password of {login}")).map(text)?) } else { None };
        let password = secret::new_password(&format!("New password of {login}")).map(text)?;
        wire::NewPassword { password: Some(password), hash: None, old }
    };
    client.tell(Method::PUT, &format!("{}/password", path(login)), Some(&new)).await?;
    done(global, login, "has a new password")
}

async fn add_device(client: &mut Client, args: DeviceAdd, global: &Global) -> Result<(), Fault> {
    let new = wire::NewDevice {
        name: args.name,
        networks: args.networks,
        messages_per_hour: args.messages_per_hour,
        recipients: args.anywhere.then(|| "anywhere".to_owned()),
        days: args.days,
    };
    let made: wire::MadeDevice =
        client.ask(Method::POST, &format!("{}/devices", path(&args.login)), Some(&new)).await?;
    show(global.form(), &made, |made| {
        format!("login   {}\nsecret  {}\n\nThe secret is shown this once.", made.device.login, made.secret)
    })
}

async fn list_devices(client: &mut Client, of: DeviceList, global: &Global) -> Result<(), Fault> {
    let login = of.login.as_deref().unwrap_or("-");
    let devices: Vec<wire::Device> = client.get(&format!("{}/devices", path(login))).await?;
    show(global.form(), &devices, |devices| {
        let row = |it: &wire::Device| {
            [
                it.login.clone(),
                it.account.clone(),
                it.networks.join(" "),
                or_blank(it.messages_per_hour.as_ref()),
                it.recipients.clone(),
                or_blank(it.expires_at.as_ref()),
                or_blank(it.revoked_at.as_ref()),
                or_blank(it.last_used_at.as_ref()),
                or_blank(it.last_used_from.as_ref()),
            ]
        };
        let header =
            ["LOGIN", "ACCOUNT", "FROM", "PER HOUR", "MAY SEND TO", "EXPIRES", "REVOKED", "LAST USED", "LAST FROM"];
        table(header, devices.iter().map(row))
    })
}

fn account_table(accounts: &[wire::Account]) -> String {
    let row = |it: &wire::Account| {
        [
            it.login.clone(),
            or_blank(it.quota_octets.as_ref()),
            it.scheme.clone().unwrap_or_else(|| "none".to_owned()),
            it.devices.to_string(),
            yes(it.apop_only),
            yes(it.locked),
        ]
    };
    table(["LOGIN", "QUOTA", "PASSWORD", "DEVICES", "APOP ONLY", "LOCKED"], accounts.iter().map(row))
}

fn account_text(account: &wire::Account) -> String {
    let rows = [
        ("login", account.login.clone()),
        ("mailbox", account.maildir.clone()),
        ("quota", or_blank(account.quota_octets.as_ref())),
        ("password", account.scheme.clone().unwrap_or_else(|| "none".to_owned())),
        ("devices", account.devices.to_string()),
        ("APOP only", yes(account.apop_only)),
        ("locked", yes(account.locked)),
        ("expires", or_blank(account.expires_at.as_ref())),
        ("made", account.created_at.clone()),
        ("addresses", account.addresses.join(" ")),
    ];
    let over = |it: &wire::Alias| ("alias", format!("{} leads to {}", it.address, it.targets.join(" ")));
    let rows = rows.into_iter().chain(account.aliases.iter().map(over)).filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}
