//! The configuration of a new server, as it is written for its operator to read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What the operator said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The server's name.
    pub hostname: String,
    /// The domain whose mail is taken.
    pub domain: String,
    /// The first account, without the domain.
    pub user: String,
    /// Where the certificate comes from.
    pub certificate: Certificate,
    /// The host that all mail to other domains goes to; `None`: to each domain's own.
    pub smarthost: Option<Smarthost>,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Made here; programs warn of it.
    SelfSigned,
    /// Two files, which somebody else renews.
    Files {
        /// Certificate and chain.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// Fetched from an authority.
    Acme(Acme),
}

/// How it is fetched: keys of `[tls.acme]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acme {
    /// URL; `None`: the default.
    pub directory: Option<String>,
    /// Whom the authority writes to.
    pub contact: Option<String>,
    /// Kind of the challenge; `None`: the default.
    pub challenge: Option<String>,
    /// Document root of a web server.
    pub webroot: Option<PathBuf>,
    /// Program that publishes records.
    pub hook: Option<String>,
}

/// The host that takes our mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Login there; its password lies in [`PASSWORD_FILE`].
    pub user: Option<String>,
}

/// Where the password of the login at the smarthost lies, below `data_dir`.
pub const PASSWORD_FILE: &str = "smarthost.password";

impl std::str::FromStr for Smarthost {
    type Err = String;

    /// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; port 587 if none is named.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no HOST or HOST:PORT");
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(587), str::parse).map_err(|_| wrong())?;
        let is_one =
            !host.is_empty() && port > 0 && host.bytes().all(|it| it.is_ascii_alphanumeric() || b".-:".contains(&it));
        if is_one { Ok(Self { host: host.to_owned(), port, user: None }) } else { Err(wrong()) }
    }
}

/// Values are quoted as TOML, so that nothing in them can become a key.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

impl Plan {
    /// The file. `users_socket`: where users of the machine reach their own account; `None`: in `data_dir`, which only the server enters.
    pub fn configuration(&self, data_dir: &Path, users_socket: Option<&Path>) -> String {
        let account = users_socket.map(|socket| {
            format!(
                "\n# By it users of this machine change their own password: sekisho passwd\n[account]\nsocket = {}\n",
                quoted_path(socket)
            )
        });
        format!(
            r"# What each key means: sekisho config reference
hostname = {hostname}
data_dir = {data_dir}

[domains]
default = {domain}
postmaster = {postmaster}

{tls}
# Nobody may relay but those who log in (and for a while those who fetched their mail by POP).
# Name your own networks here only if they must send without a login, as narrow as possible.
[relay]
networks = []
{delivery}{account}{REST}",
            hostname = quoted(&self.hostname),
            data_dir = quoted_path(data_dir),
            domain = quoted(&self.domain),
            postmaster = quoted(&format!("{}@{}", self.user, self.domain)),
            tls = self.tls(),
            account = account.unwrap_or_default(),
            delivery = self.smarthost.as_ref().map(Smarthost::section).unwrap_or_default(),
        )
    }

    fn tls(&self) -> String {
        match &self.certificate {
            Certificate::SelfSigned => SELF_SIGNED.to_owned(),
            Certificate::Files { certificate, key } => format!(
                "# Renewed by somebody else; whoever does so runs then: sekisho reload\n[tls]\ncertificate = {}\nkey = {}\n",
                quoted_path(certificate),
                quoted_path(key)
            ),
            Certificate::Acme(acme) => acme.section(),
        }
    }
}

impl Acme {
    fn section(&self) -> String {
        let mut text =
            "# Fetched from an authority, whose terms of service you agree to by this, and renewed. How far it is: \
                        sekisho status\n[tls.acme]\n"
                .to_owned();
        let webroot = self.webroot.as_ref().map(|root| root.to_string_lossy().into_owned());
        for (key, value) in [
            ("directory", &self.directory),
            ("contact", &self.contact),
            ("challenge", &self.challenge),
            ("webroot", &webroot),
        ] {
            if let Some(value) = value {
                // Writing into a `String` does not fail.
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
        }
        if let Some(hook) = &self.hook {
            let _ = writeln!(text, "hook = [{}]", quoted(hook));
        }
        text
    }
}

impl Smarthost {
    fn section(&self) -> String {
        let Self { host, port, user } = self;
        // From the first octet there (RFC 8314 §3.3).
        let tls = if *port == 465 { "implicit" } else { "starttls" };
        let login = user.as_ref().map_or_else(String::new, |user| {
            format!("user = {}\npassword_file = {}\n", quoted(user), quoted(PASSWORD_FILE))
        });
        format!(
            "\n# All mail to other domains goes to this host, never to port 25 of others.\n[delivery]\nremote = \"smarthost\"\n\n\
             [delivery.smarthost]\nhost = {}\nport = {port}\ntls = \"{tls}\"\n{login}",
            quoted(host)
        )
    }
}

const SELF_SIGNED: &str = r#"# Self-signed, so that TLS works at once; programs will warn of it. Put your own in its place, for instance
# "/etc/letsencrypt/live/NAME/fullchain.pem" and "/etc/letsencrypt/live/NAME/privkey.pem", then: sekisho reload
[tls]
certificate = "certificate.pem"
key = "key.pem"
"#;

const REST: &str = r#"
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
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(certificate: Certificate, smarthost: Option<&str>) -> Plan {
        let smarthost = smarthost.map(|text| text.parse().unwrap());
        let (hostname, domain) = ("mail.example.test".to_owned(), "example.test".to_owned());
        Plan { hostname, domain, user: "alice".to_owned(), certificate, smarthost }
    }

    fn read(plan: &Plan) -> config::Settings {
        let text = plan.configuration(Path::new("/var/lib/sekisho"), Some(Path::new("/run/sekisho/account.sock")));
        let text = config::Text { name: "sekisho.toml", text: &text, base_dir: Path::new("/etc/sekisho") };
        config::parse(&text, &[]).unwrap_or_else(|error| panic!("{error}")).settings
    }

    #[test]
    fn every_plan_is_a_configuration() {
        let files = Certificate::Files { certificate: "/c \"x\".pem".into(), key: "/k.pem".into() };
        let tls = read(&plan(files, None)).tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("/c \"x\".pem".into(), "/k.pem".into()));
        let plain = read(&plan(Certificate::SelfSigned, None));
        assert_eq!(plain.account.socket, Path::new("/run/sekisho/account.sock"));
        assert!(plain.tls.unwrap().acme.is_none());
        let acme =
            Acme { contact: Some("a@example.test".to_owned()), webroot: Some("/srv/www".into()), ..Acme::default() };
        let fetched = read(&plan(Certificate::Acme(acme), None)).tls.unwrap().acme.unwrap();
        assert_eq!(fetched.proof, config::AcmeProof::Webroot("/srv/www".into()));
        let acme = Acme { challenge: Some("dns-01".to_owned()), hook: Some("/bin/hook".to_owned()), ..Acme::default() };
        let fetched = read(&plan(Certificate::Acme(acme), None)).tls.unwrap().acme.unwrap();
        assert_eq!(fetched.proof, config::AcmeProof::Hook(vec!["/bin/hook".to_owned()]));
    }

    #[test]
    fn a_smarthost_takes_all_mail_to_others() {
        let mut made = plan(Certificate::SelfSigned, Some("smtp.provider.example:465"));
        made.smarthost.as_mut().unwrap().user = Some("me".to_owned());
        let config::Remote::Smarthost(smarthost) = read(&made).delivery.remote else { panic!("no smarthost") };
        assert_eq!((smarthost.address.port, smarthost.tls), (465, config::SmarthostTls::Implicit));
        assert_eq!(smarthost.login.unwrap().password_file, Path::new("/var/lib/sekisho/smarthost.password"));
        for (text, host, port) in [("a.example", "a.example", 587), ("[::1]:25", "::1", 25), ("[::1]", "::1", 587)] {
            let smarthost: Smarthost = text.parse().unwrap();
            assert_eq!((&*smarthost.host, smarthost.port), (host, port));
        }
        for wrong in ["", ":25", "a:b", "a:0", "a:70000", "a b", "[::1]x", "a\nb"] {
            assert!(wrong.parse::<Smarthost>().is_err(), "{wrong}");
        }
    }
}
