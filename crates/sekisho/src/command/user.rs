//! `sekisho user` and `sekisho user device`.

use super::{
    args::{self, Device, DeviceAdd, DeviceList, Passwd, User, UserAdd, UserSet},
    choice, client,
    fault::Fault,
    global::Global,
    sheets,
    table::{self, list, or_blank, show, yes},
};
use admin::client::{Client, Method, percent};
use admin::wire;
use secrecy::ExposeSecret as _;
use serde_json::json;
use terminal::{secret, time};

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
            let account: wire::Account = client.get(&path(&of.login.full(global)?)).await?;
            show(global.form(), &account, account_text)
        }
        User::Delete(of) => {
            let login = of.login.full(global)?;
            client.tell(Method::DELETE, &path(&login), None::<&()>).await?;
            done(global, &login, "is deleted; its mailbox stays")
        }
        User::Lock(of) => {
            let login = of.login.full(global)?;
            client.tell(Method::POST, &format!("{}/lock", path(&login)), None::<&()>).await?;
            done(global, &login, "is locked")
        }
        User::Unlock(of) => {
            let login = of.login.full(global)?;
            client.tell(Method::DELETE, &format!("{}/lock", path(&login)), None::<&()>).await?;
            done(global, &login, "may log in again")
        }
        User::Set(args) => set(&mut client, args, global).await,
        User::Export(args) => sheets::export_users(&mut client, &args).await,
        User::Import(args) => sheets::import_users(&mut client, &args, global).await,
        User::Choice(args) => choice::run(&mut client, args, global).await,
        User::Device(Device::Add(args)) => add_device(&mut client, args, global).await,
        User::Device(Device::List(of)) => list_devices(&mut client, of, global).await,
        User::Device(Device::Revoke(of)) => {
            let login = of.login.full(global)?;
            client.tell(Method::DELETE, &format!("/v1/devices/{}", percent(&login)), None::<&()>).await?;
            done(global, &login, "is cut off")
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
    let login = args.login.full(global)?;
    let secret = match (args.no_password, args.hash) {
        (true, _) => None,
        (false, true) => Some(secret::password(&format!("Hash of {login}"))?),
        (false, false) => Some(secret::new_password(&format!("Password of {login}"))?),
    };
    let secret = secret.map(|it| it.expose_secret().to_owned());
    let (password, hash) = if args.hash { (None, secret) } else { (secret, None) };
    let new = wire::NewAccount {
        login,
        password,
        hash,
        quota_octets: args.quota.and_then(|quota| quota.0),
        name: args.name.unwrap_or_default(),
        apop_only: args.apop_only,
        new_domain: args.new_domain,
    };
    let made: wire::Account = client.ask(Method::POST, "/v1/accounts", Some(&new)).await?;
    show(global.form(), &made, |made| format!("{} is made.", made.login))
}

async fn passwd(client: &mut Client, args: &Passwd, global: &Global) -> Result<(), Fault> {
    let text = |it: secrecy::SecretString| it.expose_secret().to_owned();
    let login = &args.login.full(global)?;
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

async fn set(client: &mut Client, args: UserSet, global: &Global) -> Result<(), Fault> {
    let login = args.login.full(global)?;
    let change = wire::AccountChange {
        quota: args.quota.map(args::Quota::spelt),
        expires: args.expires.map(args::Expiry::spelt),
        name: args.name,
        ..wire::AccountChange::default()
    };
    client.tell(Method::PATCH, &path(&login), Some(&change)).await?;
    let account: wire::Account = client.get(&path(&login)).await?;
    show(global.form(), &account, account_text)
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
        client.ask(Method::POST, &format!("{}/devices", path(&args.login.full(global)?)), Some(&new)).await?;
    show(global.form(), &made, |made| {
        format!("login   {}\nsecret  {}\n\nThe secret is shown this once.", made.device.login, made.secret)
    })
}

async fn list_devices(client: &mut Client, of: DeviceList, global: &Global) -> Result<(), Fault> {
    let login = args::full(of.login.as_ref(), global)?.unwrap_or_else(|| "-".to_owned());
    let devices: Vec<wire::Device> = client.get(&format!("{}/devices", path(&login))).await?;
    show(global.form(), &devices, |devices| {
        let row = |it: &wire::Device| {
            [
                it.login.clone(),
                it.account.clone(),
                it.networks.join(" "),
                or_blank(it.messages_per_hour.as_ref()),
                it.recipients.clone(),
                table::when(it.expires_at.as_ref()),
                table::when(it.revoked_at.as_ref()),
                table::when(it.last_used_at.as_ref()),
                or_blank(it.last_used_from.as_ref()),
            ]
        };
        let header =
            ["LOGIN", "ACCOUNT", "FROM", "PER HOUR", "MAY SEND TO", "EXPIRES", "REVOKED", "LAST USED", "LAST FROM"];
        list(header, devices.iter().map(row), ["device", "devices"])
    })
}

fn account_table(accounts: &[wire::Account]) -> String {
    let row = |it: &wire::Account| {
        [
            it.login.clone(),
            it.name.clone(),
            it.quota_octets.map(keep::size::exact).unwrap_or_default(),
            it.scheme.clone().unwrap_or_else(|| "none".to_owned()),
            it.devices.to_string(),
            yes(it.apop_only),
            yes(it.locked),
            table::when(it.expires_at.as_ref()),
        ]
    };
    let header = ["LOGIN", "NAME", "QUOTA", "PASSWORD", "DEVICES", "APOP ONLY", "LOCKED", "EXPIRES"];
    list(header, accounts.iter().map(row), ["account", "accounts"])
}

fn account_text(account: &wire::Account) -> String {
    let rows = [
        ("login", account.login.clone()),
        ("name", account.name.clone()),
        ("mailbox", account.maildir.clone()),
        ("quota", account.quota_octets.map(keep::size::exact).unwrap_or_default()),
        ("password", account.scheme.clone().unwrap_or_else(|| "none".to_owned())),
        ("devices", account.devices.to_string()),
        ("APOP only", yes(account.apop_only)),
        ("locked", yes(account.locked)),
        ("expires", account.expires_at.as_deref().map(time::shown).unwrap_or_default()),
        ("made", time::shown(&account.created_at)),
        ("addresses", account.addresses.join(" ")),
    ];
    let over = |it: &wire::Alias| ("alias", format!("{} leads to {}", it.address, it.targets.join(" ")));
    let rows = rows.into_iter().chain(account.aliases.iter().map(over)).filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}
