//! `sekisho init`: everything a new server needs, and what its operator must publish.

use super::{
    args::{AcmeFlags, Init},
    client,
    fault::{Exit, Fault},
    global::Global,
    table,
};
use admin::client::Method;
use admin::wire;
use anyhow::{Context as _, anyhow};
use config::{Settings, Text};
use keep::Owner;
use listen::tls;
use probe::{
    asking,
    publish::{self, Record},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use setup::{
    State, Step, machine,
    plan::{self, Acme, Certificate, Plan},
    surroundings::{self, Check, Question, Standing},
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
};
use terminal::secret;

/// What was made, and what is to be done.
#[derive(Debug, Serialize)]
struct Made {
    config: PathBuf,
    domain: String,
    /// The first account; null: the configuration was there already.
    account: Option<String>,
    steps: Vec<Step>,
    checks: Vec<Check>,
    dns: Vec<Record>,
}

/// Where a server is made, and whose it is.
struct Place {
    config: PathBuf,
    data_dir: PathBuf,
    /// `None`: whoever runs this.
    owner: Option<Owner>,
}

/// The passwords that are asked for.
struct Passwords {
    account: SecretString,
    smarthost: Option<SecretString>,
}

pub(super) fn run(args: &Init, global: &Global) -> Result<(), Fault> {
    let (place, mut steps) = place(args)?;
    let is_there = place.config.exists();
    if is_there && place.owner.is_none() {
        let told = anyhow!("{} is there already; nothing was changed", place.config.display());
        return Err(Fault::new(Exit::No, told));
    }
    let plan = plan(args);
    let account = if is_there { None } else { Some(make(&plan, &place, global)?) };
    let step = format!("configuration {}", place.config.display());
    steps.push(if is_there {
        Step::new(step, State::There).noting("no option of this command changes it")
    } else {
        Step::new(step, State::Made)
    });
    client::block_on(async {
        let checks = if place.owner.is_some() { checks(&plan, &place).await? } else { Vec::new() };
        let dns = publish::for_new_server(&plan.hostname, &plan.domain);
        let made = Made { config: place.config, domain: plan.domain, account, steps, checks, dns };
        table::show(global.form(), &made, told)
    })
}

/// As root the machine is prepared, unless a folder is named.
fn place(args: &Init) -> Result<(Place, Vec<Step>), Fault> {
    if let Some(dir) = &args.dir {
        let dir = std::path::absolute(dir)?;
        return Ok((Place { config: dir.join("sekisho.toml"), data_dir: dir, owner: None }, Vec::new()));
    }
    let (config, data_dir) = (PathBuf::from(config::DEFAULT_FILE), PathBuf::from(machine::DATA));
    if !machine::is_root() {
        return Ok((Place { config, data_dir, owner: None }, Vec::new()));
    }
    let failed = |error: machine::MachineError| anyhow::Error::new(error);
    let (owner, user) = machine::user().map_err(failed)?;
    let etc = config.parent().unwrap_or(Path::new("/"));
    let steps = vec![
        user,
        machine::folder(etc, 0o750, Owner { uid: 0, gid: owner.gid }).map_err(failed)?,
        machine::folder(&data_dir, 0o700, owner).map_err(failed)?,
        machine::unit(&std::env::current_exe()?).map_err(failed)?,
    ];
    Ok((Place { config, data_dir, owner: Some(owner) }, steps))
}

fn plan(args: &Init) -> Plan {
    let files = args.certificate.clone().zip(args.key.clone());
    let certificate = match (files, args.acme.acme) {
        (Some((certificate, key)), _) => Certificate::Files { certificate, key },
        (None, true) => Certificate::Acme(acme(&args.acme)),
        (None, false) => Certificate::SelfSigned,
    };
    let mut smarthost = args.smarthost.clone();
    if let Some(smarthost) = &mut smarthost {
        smarthost.user.clone_from(&args.smarthost_user);
    }
    let Init { hostname, domain, user, .. } = args.clone();
    Plan { hostname, domain, user, certificate, smarthost }
}

fn acme(flags: &AcmeFlags) -> Acme {
    Acme {
        directory: flags.acme_directory.clone(),
        contact: flags.acme_contact.clone(),
        challenge: flags.acme_challenge.map(|it| it.name().to_owned()),
        webroot: flags.acme_webroot.clone(),
        hook: flags.acme_hook.clone(),
    }
}

/// Makes the server: its folders, keys, first account, and last its configuration: as long as there is none, `init` can be done again.
fn make(plan: &Plan, place: &Place, global: &Global) -> Result<String, Fault> {
    // The unit makes the folder.
    let users_socket = place.owner.as_ref().map(|_| Path::new("/run/sekisho/account.sock"));
    let text = plan.configuration(&place.data_dir, users_socket);
    let base_dir = place.config.parent().unwrap_or(Path::new("/"));
    let name = place.config.to_string_lossy();
    let loaded = config::parse(&Text { name: &name, text: &text, base_dir }, &global.set);
    let settings = loaded.map_err(config::ConfigError::Mistaken)?.settings;
    // What is there from an earlier server must fit, before anything is made beside it.
    serve::look(&settings).map_err(anyhow::Error::new)?;
    let login = plan.smarthost.as_ref().and_then(|it| Some(format!("{} at {}", it.user.as_ref()?, it.host)));
    let passwords = Passwords {
        account: secret::new_password(&format!("Password of {}@{}", plan.user, plan.domain))?,
        smarthost: login.map(|login| secret::password(&format!("Password of {login}"))).transpose()?,
    };
    if place.owner.is_none() {
        make_dir(base_dir)?;
    }
    let kept = || keep_all(plan, &settings, &passwords);
    let account = match place.owner {
        Some(owner) => machine::as_user(owner, kept).map_err(anyhow::Error::new)??,
        None => kept()?,
    };
    write_new(&place.config, 0o640, text.as_bytes())?;
    if let Some(owner) = place.owner {
        chown(&place.config, Some(0), Some(owner.gid)).with_context(|| place.config.display().to_string())?;
    }
    Ok(account)
}

/// What lies in `data_dir`, which belongs to the server.
fn keep_all(plan: &Plan, settings: &Settings, passwords: &Passwords) -> Result<String, Fault> {
    for dir in [&settings.data_dir, &settings.delivery.maildir_root, &settings.spool.path, &settings.state.path] {
        make_dir(dir)?;
    }
    if let Some(password) = &passwords.smarthost {
        let line = format!("{}\n", password.expose_secret());
        write_new(&settings.data_dir.join(plan::PASSWORD_FILE), 0o600, line.as_bytes())?;
    }
    if let (Some(pair), Certificate::SelfSigned) = (&settings.tls, &plan.certificate) {
        let names = [settings.hostname.clone()];
        tls::ensure_self_signed(&pair.certificate, &pair.key, &names).map_err(anyhow::Error::new)?;
    }
    let mut made = String::new();
    client::block_on(async {
        made = first_account(plan, settings, &passwords.account).await?;
        Ok(())
    })?;
    Ok(made)
}

fn make_dir(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| dir.display().to_string())
}

async fn first_account(plan: &Plan, settings: &Settings, password: &SecretString) -> Result<String, Fault> {
    let new = wire::NewAccount {
        login: format!("{}@{}", plan.user, plan.domain),
        password: Some(password.expose_secret().to_owned()),
        hash: None,
        quota_octets: None,
        apop_only: false,
        name: String::new(),
        new_domain: true,
    };
    let mut client = client::here(settings).await?;
    let made: wire::Account = client.ask(Method::POST, "/v1/accounts", Some(&new)).await?;
    Ok(made.login)
}

fn write_new(path: &Path, mode: u32, octets: &[u8]) -> anyhow::Result<()> {
    let told = || path.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(told)?;
    if let Err(error) = file.write_all(octets).and_then(|()| file.sync_all()) {
        // Half a file would stand in the way of the next try.
        let _ = fs::remove_file(path);
        return Err(error).with_context(told);
    }
    Ok(())
}

async fn checks(plan: &Plan, place: &Place) -> Result<Vec<Check>, Fault> {
    let settings = config::read(&place.config, &[])?.settings;
    let own = judge::outside::here().own;
    let question = Question { hostname: &settings.hostname, own: &own, smarthost: plan.smarthost.as_ref() };
    let dns = asking::resolver(&settings.dns).map_err(|error| Fault::new(Exit::Temporary, error))?;
    Ok(surroundings::look(&dns, &question).await)
}

fn told(made: &Made) -> String {
    let config = made.config.display();
    let account = made.account.as_ref().map_or_else(String::new, |account| {
        format!("{config} is written, {account} is the first account and takes the postmaster's mail.\n")
    });
    let steps = made.steps.iter().map(|it| [it.what.clone(), it.state.word().to_owned(), it.note.clone()]);
    let checks = made.checks.iter().map(|it| [it.what.to_owned(), it.standing.word().to_owned(), it.text.clone()]);
    let records = made.dns.iter().map(|it| [it.name.clone(), it.kind.to_owned(), it.value.clone()]);
    let part = |title: &str, table: String| format!("\n{title}\n{table}\n");
    let mut text = account + &part("On this machine:", table::table(["WHAT", "STATE", "NOTE"], steps));
    if !made.checks.is_empty() {
        text += &part("Around it:", table::table(["WHAT", "STATE", "FOUND"], checks));
    }
    text += &part("Publish in the DNS:", table::table(["NAME", "TYPE", "VALUE"], records));
    let has_unit = made.steps.iter().any(|it| it.what.starts_with("unit") && it.state != State::Left);
    let start =
        if has_unit { "systemctl enable --now sekisho".to_owned() } else { format!("sekisho -c {config} serve") };
    let is_wrong = made.checks.iter().any(|it| it.standing == Standing::Wrong);
    let again = if is_wrong {
        "\nWhat is wrong around it can be put right later; look again by: sekisho init (same options)"
    } else {
        ""
    };
    let look = format!("sekisho probe dns {}", made.domain);
    text + "\nThen:\n  " + &start + "\nand, once the records are published:\n  " + &look + again
}
