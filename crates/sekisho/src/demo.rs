//! `sekisho demo`: the whole server on loopback with unprivileged ports, three accounts and a sink in the outside's place.
//!
//! Loopback is a stranger here as everywhere: it is in no relay network. Nothing is ever sent to the outside.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use directory::{DeviceLimits, Directory, NewAccount, NewPassword, RecipientScope};
use serde::{Deserialize, Serialize};

use config::{self, Loaded};
use listen::tls;

/// The domain of the demo.
const DOMAIN: &str = "example.test";
/// Its accounts.
const ACCOUNTS: [&str; 3] = ["alice", "bob", "carol"];
/// The name of each account's device.
const DEVICE: &str = "device";

/// The services in the order of their ports, from `--port-base` on; the port that each has without it.
const SERVICES: [(&str, u16); 12] = [
    ("smtp", 2525),
    ("submission", 2587),
    ("submissions", 2465),
    ("pop3", 2110),
    ("pop3s", 2995),
    ("dracd", 2900),
    ("policy", 10031),
    ("socketmap", 10032),
    ("milter", 10033),
    ("dovecot_auth", 10034),
    ("auth_policy", 10035),
    ("console", 8025),
];
/// File of what Dovecot shows at `auth_policy`.
const AUTH_POLICY_SECRET: &str = "auth-policy-secret";

/// Default rules that go by what DNS says.
const BY_DNS: [&str; 7] =
    ["helo-mismatch", "no-name", "name-unconfirmed", "dynamic-name", "sender-domain-dead", "spf-fail", "spf-softfail"];

/// What was asked for on the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything lies; `None`: a folder of its own below the temporary directory, removed at the end.
    pub dir: Option<PathBuf>,
    /// `KEY=VALUE` over the demo's configuration.
    pub sets: Vec<String>,
    /// The first of twelve ports in a row.
    pub port_base: Option<u16>,
}

/// What `demo.json` tells scripts.
#[derive(Debug, Serialize)]
struct Facts<'a> {
    domain: &'a str,
    ports: serde_json::Map<String, serde_json::Value>,
    accounts: &'a [Account],
    /// What `auth_policy` wants to see in `X-API-Key`.
    auth_policy_secret: &'a str,
    sink: PathBuf,
    certificate: PathBuf,
    admin_socket: PathBuf,
    config: PathBuf,
}

/// An account with its secrets in clear: a demo keeps them for its next start, a server never does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Account {
    login: String,
    address: String,
    password: String,
    device: Device,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Device {
    login: String,
    secret: String,
}

/// A demo that is set up and not yet running.
#[derive(Debug)]
pub struct Demo {
    dir: PathBuf,
    temporary: bool,
    config: PathBuf,
    loaded: Loaded,
    accounts: Vec<Account>,
    auth_policy_secret: String,
    /// Locked while the demo has the folder.
    _lock: fs::File,
}

impl Demo {
    /// Makes folder, certificate, configuration and accounts, as far as they are missing. Nothing is touched in a folder that
    /// a running demo or server has.
    pub async fn prepare(options: &Options) -> Result<Self> {
        let temporary = options.dir.is_none();
        let dir = folder(options.dir.as_deref())?;
        let dir = dir.canonicalize()?;
        let lock = alone(&dir, options)?;
        let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
        let names = ["localhost", "mail.example.test", "127.0.0.1"].map(str::to_owned);
        tls::ensure_self_signed(&certificate, &key, &names)?;
        let config = dir.join("sekisho.toml");
        private(&config, configuration(options.port_base).as_bytes())?;
        serve::deliver::ensure_maildir(&dir.join("sink"))?;
        fs::write(dir.join("hello.eml"), "Subject: hello\r\n\r\nHello from the demo.\r\n")?;
        let auth_policy_secret = shared_secret(&dir.join(AUTH_POLICY_SECRET))?;
        let loaded = config::read(&config, &options.sets)?;
        let accounts = accounts(&dir, &loaded).await?;
        Ok(Self { dir, temporary, config, loaded, accounts, auth_policy_secret, _lock: lock })
    }

    /// The configuration to serve.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The configuration file, for `reload` and for commands' `-c`.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Everything listens: tells scripts by `demo.json`, people by what is printed.
    pub fn announce(&self) -> Result<()> {
        let settings = &self.loaded.settings;
        let mut ports = serde_json::Map::new();
        for listener in &settings.listeners {
            if let Some(address) = listener.bind.first() {
                ports.insert(listener.name.to_string(), address.port().into());
            }
        }
        if let Some(address) = settings.metrics.bind.first() {
            ports.insert("console".to_owned(), address.port().into());
        }
        let sink = match &settings.delivery.remote {
            config::Remote::Sink(path) => path.clone(),
            _ => self.dir.join("sink"),
        };
        let facts = Facts {
            domain: DOMAIN,
            ports,
            accounts: &self.accounts,
            auth_policy_secret: &self.auth_policy_secret,
            sink,
            certificate: self.dir.join("certificate.pem"),
            admin_socket: settings.admin.socket.clone(),
            config: self.config.clone(),
        };
        let text = self.manual(&facts);
        // In two steps, so that a script that waits for the file never reads half of it.
        let (whole, part) = (self.dir.join("demo.json"), self.dir.join("demo.json.part"));
        private(&part, &serde_json::to_vec_pretty(&facts)?)?;
        fs::rename(&part, &whole)?;
        anstream::print!("{text}");
        Ok(())
    }

    /// The commands to try, each to be pasted as it stands.
    fn manual(&self, facts: &Facts<'_>) -> String {
        let alice = &self.accounts[0];
        let port = |name: &str| facts.ports.get(name).map_or(0, |port| port.as_u64().unwrap_or(0));
        let sekisho = std::env::current_exe().map_or_else(|_| "sekisho".to_owned(), |path| path.display().to_string());
        let (dir, cert, config) = (self.dir.display(), facts.certificate.display(), self.config.display());
        let mail = format!("-T {dir}/hello.eml");
        let smtp = format!("curl -sS --url smtp://localhost:{}", port("smtp"));
        let tls = format!("--ssl-reqd --cacert {cert} -u '{}:{}'", alice.login, alice.password);
        let outside = "--mail-rcpt friend@outside.example";
        let mut text =
            format!("\nSekisho demo in {dir}: domain {DOMAIN}, everything on 127.0.0.1. Ctrl-C ends it.\n\n");
        for Account { login, password, device, .. } in &self.accounts {
            let Device { login: device, secret } = device;
            let _ = writeln!(text, "  {login}  password {password}  device {device} secret {secret}");
        }
        let steps = [
            (
                "A stranger's mail to Alice is taken",
                format!("{smtp} --mail-from x@outside.example --mail-rcpt {} {mail}", alice.address),
            ),
            ("and lies in her mailbox", format!("curl -sS --url pop3://localhost:{}/1 {tls}", port("pop3"))),
            (
                "A stranger relays nothing: 550, we do not relay",
                format!("{smtp} --mail-from x@outside.example {outside} {mail} || echo refused, as it should be"),
            ),
            (
                "Alice may, by SMTP AUTH",
                format!(
                    "curl -sS --url smtp://localhost:{} {tls} --mail-from {} {outside} {mail}",
                    port("submission"),
                    alice.address
                ),
            ),
            (
                "or by POP before SMTP: her device logs in by APOP",
                format!(
                    "curl -sS --url pop3://localhost:{}/ --login-options AUTH=+APOP -u '{}:{}'",
                    port("pop3"),
                    alice.device.login,
                    alice.device.secret
                ),
            ),
            (
                "and its address may relay for 30 minutes, in her name",
                format!("{smtp} --mail-from {} {outside} {mail}", alice.address),
            ),
            ("What would have left lies in the sink", format!("ls {}/new", facts.sink.display())),
            ("Who may relay now, by POP login", format!("{sekisho} -c {config} grant list")),
            (
                "Another POP server tells of a login, by DRAC: for any sender of the domain",
                format!("{sekisho} drac add localhost:{} 127.0.0.1", port("dracd")),
            ),
            ("The queue", format!("{sekisho} -c {config} queue list")),
            ("The accounts", format!("{sekisho} -c {config} user list")),
            ("Numbers for Prometheus", format!("curl -sS http://127.0.0.1:{}/metrics", port("console"))),
            ("The configuration in force", format!("{sekisho} -c {config} config show")),
        ];
        for (what, command) in steps {
            let _ = write!(text, "\n{what}:\n  $ {command}\n");
        }
        text + "\n"
    }

    /// Removes what only this run needed.
    pub fn clean_up(&self) {
        // What cannot be removed stays; the next demo does not mind.
        if self.temporary {
            let _ = fs::remove_dir_all(&self.dir);
        } else {
            let _ = fs::remove_file(self.dir.join("demo.json"));
        }
    }
}

/// The folder as given, or a new one below the temporary directory, where others could have laid one ready for us.
fn folder(given: Option<&Path>) -> Result<PathBuf> {
    let dir =
        given.map_or_else(|| std::env::temp_dir().join(format!("sekisho-demo-{}", std::process::id())), Path::to_owned);
    let made = fs::DirBuilder::new().mode(0o700).recursive(given.is_some()).create(&dir);
    made.with_context(|| format!("making {}", dir.display()))?;
    Ok(dir)
}

/// Takes the folder, if no demo and no server has it: what the configuration would be is only read for that.
fn alone(dir: &Path, options: &Options) -> Result<fs::File> {
    let (name, text) = (dir.join("sekisho.toml"), configuration(options.port_base));
    let name = name.to_string_lossy();
    let loaded = config::parse(&config::Text { name: &name, text: &text, base_dir: dir }, &options.sets);
    serve::look(&loaded.map_err(config::ConfigError::Mistaken)?.settings)?;
    let path = dir.join("demo.lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    file.try_lock()
        .with_context(|| format!("{}: another demo runs here; end it, or name another folder", dir.display()))?;
    Ok(file)
}

fn configuration(port_base: Option<u16>) -> String {
    let mut text = format!(
        "# Written by `sekisho demo`, anew at each start.\n\
         hostname = \"mail.{DOMAIN}\"\ndata_dir = \".\"\n\n[domains]\ndefault = \"{DOMAIN}\"\n\
         postmaster = \"{first}@{DOMAIN}\"\n\n\
         [tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n\n\
         [relay.pop]\nenabled = true\n\n[relay.drac]\nrpcbind = \"off\"\nloopback = true\n\n[delivery]\nremote = \"sink\"\nsink = \"sink\"\n\n\
         [spool]\nfree_octets_min = 1048576\n\n\
         # Nothing goes to the outside, so DNS is asked about nobody.\n\
         [guard]\ndefaults = true\noff = [{off}]\n",
        first = ACCOUNTS[0],
        off = BY_DNS.map(|rule| format!("\"{rule}\"")).join(", ")
    );
    for (index, (name, port)) in SERVICES.iter().enumerate() {
        let offset = u16::try_from(index).unwrap_or(u16::MAX);
        let port = port_base.map_or(*port, |base| base.saturating_add(offset));
        if *name == "console" {
            let _ = write!(text, "\n[metrics]\nbind = [\"127.0.0.1:{port}\"]\n");
            continue;
        }
        let protocol = name.replace('_', "-");
        let _ = write!(
            text,
            "\n[[listener]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nbind = [\"127.0.0.1:{port}\"]\n"
        );
        if *name == "auth_policy" {
            let _ = writeln!(text, "secret_file = \"{AUTH_POLICY_SECRET}\"");
        }
        if ["policy", "socketmap", "milter"].contains(name) {
            text += "relay = \"permit\"\n";
        }
        // One address stands for all the clients of a demo.
        text += "connections_max = 60000\nconnections_per_client_max = 60000\n";
    }
    text
}

/// The secret of an earlier start in this folder, or a new one.
fn shared_secret(file: &Path) -> Result<String> {
    if let Ok(text) = fs::read_to_string(file) {
        return Ok(text.trim().to_owned());
    }
    let secret = password()?;
    private(file, format!("{secret}\n").as_bytes())?;
    Ok(secret)
}

/// The accounts with their secrets: those of an earlier start in this folder, or new ones.
async fn accounts(dir: &Path, loaded: &Loaded) -> Result<Vec<Account>> {
    let file = dir.join("demo-accounts.json");
    if let Ok(text) = fs::read(&file) {
        return serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()));
    }
    let settings = &loaded.settings;
    fs::create_dir_all(&settings.data_dir)?;
    let key = serve::server_key(settings)?;
    let directory = Directory::open(&settings.directory.path, &key, serve::directory_settings(settings)).await?;
    directory.add_domain(DOMAIN).await?;
    let mut accounts = Vec::with_capacity(ACCOUNTS.len());
    for name in ACCOUNTS {
        let account = account(&directory, name).await?;
        serve::deliver::ensure_maildir(
            &settings.delivery.maildir_root.join(&directory.account(&account.login).await?.maildir),
        )?;
        accounts.push(account);
    }
    directory.close().await;
    private(&file, &serde_json::to_vec_pretty(&accounts)?)?;
    Ok(accounts)
}

async fn account(directory: &Directory, name: &str) -> Result<Account> {
    let login = format!("{name}@{DOMAIN}");
    let password = password()?;
    let new = NewAccount {
        login: login.clone(),
        password: NewPassword::Clear(password.as_str().into()),
        ..NewAccount::default()
    };
    directory.create_account(new).await?;
    let limits = DeviceLimits { recipients: RecipientScope::Anywhere, ..DeviceLimits::default() };
    let (device, secret) = directory.add_device(&login, DEVICE, limits).await?;
    let device = Device { login: device.login, secret: secret.expose().to_owned() };
    Ok(Account { address: login.clone(), login, password, device })
}

/// Sixteen characters that need no quoting anywhere: 80 bits.
fn password() -> Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).map_err(std::io::Error::other)?;
    Ok(octets.iter().map(|octet| char::from(ALPHABET[usize::from(octet % 32)])).collect())
}

/// Writes a file that only its owner may read, an existing one too.
pub(crate) fn private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("writing {}", path.display()))?;
    // Before anything is in it: `mode` is only for a file that is new.
    let ours = file.set_permissions(fs::Permissions::from_mode(0o600)).and_then(|()| file.set_len(0));
    ours.and_then(|()| file.write_all(bytes)).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_nobody_else_s() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "longer than before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        private(&file, b"secret").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"secret");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let mode = |dir: &Path| fs::metadata(dir).unwrap().permissions().mode() & 0o777;
        let given = dir.path().join("a/b");
        assert_eq!(mode(&folder(Some(&given)).unwrap()), 0o700);
        folder(Some(&given)).unwrap();
        let fresh = folder(None).unwrap();
        assert_eq!(mode(&fresh), 0o700);
        assert!(folder(None).is_err(), "one that is there already may be another's");
        fs::remove_dir(fresh).unwrap();
    }

    #[tokio::test]
    async fn a_folder_in_use_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let options = |port| Options { dir: Some(dir.path().to_owned()), sets: Vec::new(), port_base: Some(port) };
        let first = Demo::prepare(&options(40_000)).await.unwrap();
        fs::write(dir.path().join("demo.json"), "of the first").unwrap();
        let files = || {
            let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().path()).collect();
            files.sort();
            files.into_iter().map(|it| (fs::read(&it).unwrap_or_default(), it)).collect::<Vec<_>>()
        };
        let before = files();
        let refused = Demo::prepare(&options(41_000)).await.unwrap_err();
        assert!(refused.to_string().contains("another demo runs here"), "{refused}");
        assert!(before == files(), "the second demo touched the folder of the first");
        drop(first);
        // A server that was started by hand has it now.
        let state = state::State::open(dir.path().join("state")).unwrap();
        let before = files();
        assert!(Demo::prepare(&options(41_000)).await.is_err());
        assert!(before == files(), "a demo touched the folder of a server");
        drop(state);
        // Accounts without their key: no new key.
        fs::remove_file(dir.path().join("server.key")).unwrap();
        let before = files();
        let refused = Demo::prepare(&options(41_000)).await.unwrap_err();
        assert!(refused.to_string().contains("restore that key file"), "{refused}");
        assert!(before == files());
    }

    #[test]
    fn the_configuration_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = configuration(Some(40_000));
        let text = config::Text { name: "demo", text: &text, base_dir: dir.path() };
        let loaded = config::parse(&text, &["limits.errors=7".to_owned()]).unwrap_or_else(|report| panic!("{report}"));
        let ports: Vec<u16> = loaded.settings.listeners.iter().map(|l| l.bind[0].port()).collect();
        assert_eq!(ports, (40_000..40_011).collect::<Vec<u16>>());
        assert_eq!(loaded.settings.metrics.bind[0].port(), 40_011);
        assert!(loaded.settings.relay.networks.is_empty(), "loopback is a stranger");
        assert_eq!(loaded.settings.limits.errors, 7);
    }
}
