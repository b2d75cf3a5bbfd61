//! `sekisho init`: everything a new server needs, and what its operator must publish.

use super::{
    args::Init,
    client,
    fault::{Exit, Fault},
    global::Global,
    secret, table,
};
use admin::client::Method;
use admin::wire;
use anyhow::{Context as _, anyhow};
use config::{Settings, Text};
use listen::tls;
use probe::publish::{self, Record};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// What was made, and what is to be done.
#[derive(Debug, Serialize)]
struct Made {
    config: PathBuf,
    account: String,
    dns: Vec<Record>,
}

pub(super) fn run(args: &Init, global: &Global) -> Result<(), Fault> {
    let (config_file, data_dir) = match &args.dir {
        Some(dir) => (std::path::absolute(dir)?.join("sekisho.toml"), std::path::absolute(dir)?),
        None => (PathBuf::from(config::DEFAULT_FILE), PathBuf::from("/var/lib/sekisho")),
    };
    if config_file.exists() {
        let told = anyhow!("{} is there already; nothing was changed", config_file.display());
        return Err(Fault::new(Exit::No, told));
    }
    let text = configuration(args, &data_dir);
    let base_dir = config_file.parent().unwrap_or(Path::new("/"));
    let name = config_file.to_string_lossy();
    let loaded = config::parse(&Text { name: &name, text: &text, base_dir }, &global.set);
    let settings = loaded.map_err(config::ConfigError::Mistaken)?.settings;
    // What is there from an earlier server must fit, before anything is made beside it.
    serve::look(&settings).map_err(anyhow::Error::new)?;
    let password = secret::new_password(&format!("Password of {}@{}", args.user, args.domain))?;
    for dir in
        [base_dir, &settings.data_dir, &settings.delivery.maildir_root, &settings.spool.path, &settings.state.path]
    {
        make_dir(dir)?;
    }
    if let Some(pair) = &settings.tls {
        let names = [settings.hostname.clone()];
        tls::ensure_self_signed(&pair.certificate, &pair.key, &names).map_err(anyhow::Error::new)?;
    }
    client::block_on(async {
        let account = first_account(args, &settings, &password).await?;
        // Last: as long as there is no configuration, `init` can be done again.
        write_new(&config_file, &text)?;
        let made =
            Made { config: config_file.clone(), account, dns: publish::for_new_server(&args.hostname, &args.domain) };
        table::show(global.form(), &made, told)
    })
}

/// Values are quoted as TOML, so that nothing in them can become a key.
fn configuration(args: &Init, data_dir: &Path) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        r#"# What each key means: sekisho config reference
hostname = {hostname}
data_dir = {data_dir}

[domains]
default = {domain}
postmaster = {postmaster}

# Self-signed, so that TLS works at once; programs will warn of it. Put your own in its place, for instance
# "/etc/letsencrypt/live/NAME/fullchain.pem" and "/etc/letsencrypt/live/NAME/privkey.pem", then: sekisho reload
[tls]
certificate = "certificate.pem"
key = "key.pem"

# Nobody may relay but those who log in (and for a while those who fetched their mail by POP).
# Name your own networks here only if they must send without a login, as narrow as possible.
[relay]
networks = []

# Strangers' mail to your users: what looks odd has to come back once, which honest servers do.
# Each rule with its reason: sekisho config defaults
[guard]
defaults = true

# Numbers for Prometheus, and whether the server is well: http://127.0.0.1:8025/metrics, /readyz
[metrics]
bind = ["127.0.0.1:8025"]

# What you are told of at once (a full disk, a login that sends unusually much): by mail, and by what else you set here.
[alarms]
mail = true

# Mail from other servers.
[[listener]]
name = "mx"
protocol = "smtp"
bind = ["0.0.0.0:25", "[::]:25"]

# Mail of your users: STARTTLS, and TLS at once.
[[listener]]
name = "submission"
protocol = "submission"
bind = ["0.0.0.0:587", "[::]:587"]

[[listener]]
name = "submissions"
protocol = "submissions"
bind = ["0.0.0.0:465", "[::]:465"]

# Their mailboxes: STLS, and TLS at once.
[[listener]]
name = "pop3"
protocol = "pop3"
bind = ["0.0.0.0:110", "[::]:110"]

[[listener]]
name = "pop3s"
protocol = "pop3s"
bind = ["0.0.0.0:995", "[::]:995"]
"#,
        hostname = quoted(&args.hostname),
        data_dir = quoted(&data_dir.to_string_lossy()),
        domain = quoted(&args.domain),
        postmaster = quoted(&format!("{}@{}", args.user, args.domain)),
    )
}

fn make_dir(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| dir.display().to_string())
}

async fn first_account(args: &Init, settings: &Settings, password: &secrecy::SecretString) -> Result<String, Fault> {
    let new = wire::NewAccount {
        login: format!("{}@{}", args.user, args.domain),
        password: Some(password.expose_secret().to_owned()),
        hash: None,
        quota_octets: None,
        apop_only: false,
        new_domain: true,
    };
    let mut client = client::here(settings).await?;
    let made: wire::Account = client.ask(Method::POST, "/v1/accounts", Some(&new)).await?;
    Ok(made.login)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let told = || path.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path).with_context(told)?;
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a configuration would stand in the way of the next try.
        let _ = fs::remove_file(path);
        return Err(error).with_context(told);
    }
    Ok(())
}

fn told(made: &Made) -> String {
    let rows = made.dns.iter().map(|it| [it.name.clone(), it.kind.to_owned(), it.value.clone()]);
    format!(
        "{config} is written, {account} is the first account and takes the postmaster's mail.\nThe certificate is \
         self-signed: put your own in its place ([tls] in that file).\n\nPublish in the DNS:\n{dns}\n\nThen:\n  sekisho -c {config} serve",
        config = made.config.display(),
        account = made.account,
        dns = table::table(["NAME", "TYPE", "VALUE"], rows),
    )
}
