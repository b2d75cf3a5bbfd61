//! What a start would refuse, found without starting: nothing is made, bound or changed, and a server that runs is not
//! disturbed.
//!
//! A refusal is a fault of the configuration or of a file that it names. What only this machine lacks at this moment (an
//! address, a name server) is a warning, as is what does not keep the server from its work: the same configuration may be
//! checked on another machine.

use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use config::{Protocol, Remote, Settings};
use directory::ServerKey;
use judge::Terms;
use serve::secrets::{SharedSecret, allowed};
use serve::{certificate, deliver};

/// No file of grants is longer.
const GRANTS_OCTETS_MAX: u64 = 256 << 20;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The server does not start so.
    pub refusals: Vec<String>,
    /// It starts, and somebody should look at it.
    pub warnings: Vec<String>,
}

/// Reads all that the settings name, as a start would.
pub fn check(settings: &Arc<Settings>) -> Checked {
    let mut checked = Checked::default();
    serves_somebody(settings, &mut checked);
    tls(settings, &mut checked);
    secrets(settings, &mut checked);
    places(settings, &mut checked);
    one_use_each(settings, &mut checked);
    machine(settings, &mut checked);
    match Terms::new(Arc::clone(settings), 1) {
        Ok(terms) => checked.warnings.extend(terms.tables.warnings.iter().map(ToString::to_string)),
        Err(error) => checked.refusals.extend(error.to_string().lines().map(str::to_owned)),
    }
    checked
}

/// Why nobody would ever be served; `None`: somebody is. Logs that are watched for a file of grants need no listener.
pub fn idle(settings: &Settings) -> Option<String> {
    let watches = !settings.watch.is_empty() && settings.relay.export.is_some();
    let file = &settings.file;
    (settings.listeners.is_empty() && !watches).then(|| {
        format!(
            "{file}: there is no [[listener]]: the server would listen nowhere; add one, as sekisho init writes them"
        )
    })
}

fn serves_somebody(settings: &Settings, checked: &mut Checked) {
    checked.refusals.extend(idle(settings));
}

fn tls(settings: &Settings, checked: &mut Checked) {
    let Some(tls) = &settings.tls else { return };
    if tls.acme.is_some() && !tls.certificate.exists() {
        // The start makes one for the time until it is fetched.
        return;
    }
    match listen::tls::check(&tls.certificate, &tls.key, allowed(tls.permissions)) {
        Err(errors) => checked.refusals.extend(errors.iter().map(ToString::to_string)),
        Ok(shown) => {
            let Some(certificate) = shown.certificate() else { return };
            let faults = certificate::faults(&certificate, &settings.hostname, SystemTime::now()).into_iter();
            checked.warnings.extend(faults.map(|fault| fault.told(settings)));
        }
    }
}

fn secrets(settings: &Settings, checked: &mut Checked) {
    for listener in &settings.listeners {
        let read = listener.secret_file.iter().map(|file| SharedSecret::read(file, listener.permissions));
        let refused = read.filter_map(Result::err);
        checked.refusals.extend(refused.map(|error| format!("listener {}: secret_file: {error}", listener.name)));
    }
    if let Remote::Smarthost(smarthost) = &settings.delivery.remote {
        checked.refusals.extend(deliver::smarthost(smarthost).err().map(|error| error.to_string()));
    }
    let directory = &settings.directory;
    match ServerKey::check(&directory.key, allowed(directory.permissions)) {
        Err(error) => checked.refusals.push(with_causes(&error)),
        Ok(()) if directory.path.exists() && !directory.key.exists() => checked.refusals.push(format!(
            "directory.key {}: it is not there, and the accounts in {} need the key that they were made with; bring it back",
            directory.key.display(),
            directory.path.display()
        )),
        Ok(()) => {}
    }
}

/// What a path must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    /// A folder, or made with those above it.
    Folder,
    /// A file, or made in its folder.
    File,
    /// A file that we append to.
    Appended,
    /// A Unix socket, or made in its folder.
    Socket,
}

/// Whether what is made at the start has where to be made.
fn places(settings: &Settings, checked: &mut Checked) {
    let folder = |key: &str, path: &Path| (key.to_owned(), path.to_owned(), Is::Folder);
    let delivery = &settings.delivery;
    let mut all = vec![
        folder("data_dir", &settings.data_dir),
        folder("spool.path", &settings.spool.path),
        folder("state.path", &settings.state.path),
        folder("delivery.maildir_root", &delivery.maildir_root),
    ];
    if let Remote::Sink(path) = &delivery.remote {
        all.push(folder("delivery.sink", path));
    }
    all.extend(settings.relay.export.iter().map(|it| ("relay.export".to_owned(), it.path.clone(), Is::File)));
    all.extend(settings.log.file.iter().map(|it| ("log.file".to_owned(), it.clone(), Is::Appended)));
    all.push(("directory.path".to_owned(), settings.directory.path.clone(), Is::File));
    all.push(("directory.key".to_owned(), settings.directory.key.clone(), Is::File));
    all.extend(sockets(settings).into_iter().map(|(what, path)| (what, path, Is::Socket)));
    for (what, path, is) in all {
        let Err(why) = can_be(&path, is, &settings.data_dir) else { continue };
        let told = format!("{what} {}: {why}", path.display());
        // What lies there is made anew at each start of the machine, by whoever starts the service.
        let is_made_later = ["/run", "/var/run"].iter().any(|run| path.starts_with(run)) && !path.exists();
        if is_made_later { checked.warnings.push(told) } else { checked.refusals.push(told) }
    }
}

fn sockets(settings: &Settings) -> Vec<(String, PathBuf)> {
    let listeners = settings.listeners.iter();
    let unix = listeners.flat_map(|it| it.unix.iter().map(move |path| (format!("listener {}", it.name), path.clone())));
    let own = [("admin.socket", &settings.admin.socket), ("account.socket", &settings.account.socket)];
    unix.chain(own.map(|(key, path)| (key.to_owned(), path.clone()))).collect()
}

/// `data_dir` is made at the start; other folders of files are not.
fn can_be(path: &Path, is: Is, data_dir: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(there) => {
            let kind = there.file_type();
            let (fits, wanted) = match is {
                Is::Folder => (kind.is_dir(), "a folder"),
                Is::File => (kind.is_file(), "a file"),
                // As a pipe or a terminal takes it.
                Is::Appended => (!kind.is_dir(), "a file"),
                Is::Socket => (kind.is_socket(), "a socket"),
            };
            if !fits {
                return Err(format!("this is no {}", wanted.trim_start_matches("a ")));
            }
            let opened =
                (is == Is::Appended && kind.is_file()).then(|| std::fs::OpenOptions::new().append(true).open(path));
            opened.transpose().map(drop).map_err(|error| error.to_string())
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            match path.parent() {
                Some(parent) if is != Is::Folder && plain(parent) != plain(data_dir) && !parent.is_dir() => {
                    Err(format!("there is no folder {}", parent.display()))
                }
                Some(_) if is == Is::Folder => match path.ancestors().skip(1).find(|above| above.exists()) {
                    Some(above) if !above.is_dir() => Err(format!("{} is no folder", above.display())),
                    _ => Ok(()),
                },
                _ => Ok(()),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}

fn plain(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.components().collect())
}

/// Where a path leads, whether the file is there or not.
fn led(path: &Path) -> PathBuf {
    let made = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(made).unwrap_or_else(|| path.components().collect())
}

/// What we write is nothing else's place: a socket, a database and a log would take the file from each other, or from whoever
/// made it.
fn one_use_each(settings: &Settings, checked: &mut Checked) {
    let mut written = sockets(settings);
    written.push(("directory.path".to_owned(), settings.directory.path.clone()));
    written.push(("directory.key".to_owned(), settings.directory.key.clone()));
    written.extend(settings.log.file.iter().map(|it| ("log.file".to_owned(), it.clone())));
    written.extend(settings.relay.export.iter().map(|it| ("relay.export".to_owned(), it.path.clone())));
    let mut read: Vec<(String, PathBuf)> = vec![("the configuration".to_owned(), PathBuf::from(&*settings.file))];
    if let Some(tls) = &settings.tls {
        read.push(("tls.certificate".to_owned(), tls.certificate.clone()));
        read.push(("tls.key".to_owned(), tls.key.clone()));
    }
    if let Remote::Smarthost(config::Smarthost { login: Some(login), .. }) = &settings.delivery.remote {
        read.push(("delivery.smarthost.password_file".to_owned(), login.password_file.clone()));
    }
    let secrets = settings.listeners.iter().filter_map(|it| Some((it, it.secret_file.clone()?)));
    read.extend(secrets.map(|(it, file)| (format!("secret_file of listener {}", it.name), file)));
    let written: Vec<(String, PathBuf)> = written.into_iter().map(|(what, path)| (what, led(&path))).collect();
    for (index, (what, path)) in written.iter().enumerate() {
        let others = written[..index].iter().map(|(other, at)| (other, at.clone()));
        let others = others.chain(read.iter().map(|(other, at)| (other, led(at))));
        for (other, _) in others.filter(|(_, at)| at == path) {
            checked.refusals.push(format!("{}: this is the place of {other} and of {what}", path.display()));
        }
    }
}

/// What this machine lacks now.
fn machine(settings: &Settings, checked: &mut Checked) {
    let mut addresses: Vec<_> =
        settings.listeners.iter().flat_map(|it| &it.bind).map(std::net::SocketAddr::ip).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        // Any free port, and let go at once: it only matters whether the address is one of ours.
        let refused = UdpSocket::bind((address, 0)).err();
        if refused.is_some_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable) {
            checked.warnings.push(format!("{address} is no address of this machine now: nothing can listen there"));
        }
    }
    if let Some(export) = &settings.relay.export {
        let bare = export.path.with_extension("");
        if export.path.extension().is_some_and(|it| it == "db") && is_database(&bare) {
            checked.warnings.push(format!(
                "relay.export writes {}; what lies at {} is not kept up to date: remove it if a mail server reads it",
                export.path.display(),
                bare.display()
            ));
        }
    }
}

/// Whether a file of grants of another name lies there: nobody empties that any more.
fn is_database(path: &Path) -> bool {
    let read = keep::read(path, GRANTS_OCTETS_MAX, keep::Accepts::RegularFile);
    read.is_ok_and(|octets| bdb::Reader::new(&octets).is_ok())
}

/// What is good, and could be narrower. Whoever speaks an interface of mail servers names clients: behind a Unix socket the
/// permissions say who may, while a TCP port of this host is open to each of its users and programs, a browser among them.
pub fn notes(settings: &Settings) -> Vec<String> {
    let beside = settings.listeners.iter().filter(|listener| {
        let protocol = listener.protocol;
        protocol.is_interface() && !matches!(protocol, Protocol::Dracd | Protocol::AuthPolicy)
    });
    let on_loopback = beside.flat_map(|listener| {
        let places = listener.bind.iter().filter(|place| place.ip().is_loopback());
        places.map(move |place| {
            let name = &listener.name;
            format!(
                "listener {name} at {place}: every program of this host may ask there; where the mail server can, \
                 bind = [\"unix:PATH\"] lets in only those that socket_mode admits"
            )
        })
    });
    on_loopback.collect()
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const LISTENER: &str = "[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:25\"]\n";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn write(&self, name: &str, text: &str, mode: u32) {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn check(&self, text: &str) -> Checked {
            let text = format!("hostname = \"mail.example.test\"\ndata_dir = \".\"\n{text}");
            let text = config::Text { name: "t.toml", text: &text, base_dir: self.0.path() };
            let settings = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings;
            check(&Arc::new(settings))
        }
    }

    fn folder() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let at = |name: &str| folder.0.path().join(name);
        let names = ["mail.example.test".to_owned()];
        listen::tls::ensure_self_signed(&at("c.pem"), &at("k.pem"), &names).unwrap();
        listen::tls::ensure_self_signed(&at("other.pem"), &at("other.key"), &["mx.example.test".to_owned()]).unwrap();
        folder.write("open.key", &fs::read_to_string(at("k.pem")).unwrap(), 0o640);
        folder.write("secret", "0123456789abcdef\n", 0o600);
        folder.write("open", "0123456789abcdef\n", 0o644);
        folder.write("short", "0123\n", 0o600);
        folder.write("nothing", "", 0o600);
        folder
    }

    #[test]
    fn what_a_start_would_refuse_is_found() {
        let folder = folder();
        let tls = |certificate: &str, key: &str| {
            format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{LISTENER}")
        };
        let smarthost = |file: &str| {
            format!(
                "{LISTENER}[delivery]\nremote = \"smarthost\"\n[delivery.smarthost]\nhost = \"relay.example.net\"\nuser = \"u\"\npassword_file = \"{file}\"\n"
            )
        };
        let policy = |file: &str| {
            format!(
                "[[listener]]\nname = \"ap\"\nprotocol = \"auth-policy\"\nbind = [\"127.0.0.1:1\"]\nsecret_file = \"{file}\"\n"
            )
        };
        for (text, expected) in [
            (LISTENER.to_owned(), ""),
            (String::new(), "no [[listener]]"),
            (
                "[relay]\nexport = \"hash:relay\"\n[[watch]]\nfile = \"/var/log/maillog\"\nformat = \"dovecot\"\n"
                    .to_owned(),
                "",
            ),
            (tls("c.pem", "k.pem"), ""),
            (tls("none.pem", "k.pem"), "none.pem: No such file"),
            (tls("c.pem", "none.key"), "none.key: No such file"),
            (tls("c.pem", "other.key"), "c.pem with key"),
            (tls("c.pem", "open.key"), "open.key: mode 0640"),
            (tls("nothing", "k.pem"), "nothing: no CERTIFICATE"),
            (smarthost("secret"), ""),
            (smarthost("none"), "none: No such file"),
            (smarthost("open"), "open: mode 0644"),
            (policy("secret"), ""),
            (policy("none"), "none: No such file"),
            (policy("short"), "shorter than 16"),
            (format!("{LISTENER}[log]\nfile = \"none/log\"\n"), "log.file"),
            (format!("{LISTENER}[log]\nfile = \".\"\n"), "this is no file"),
            (format!("{LISTENER}[admin]\nsocket = \"run/admin.sock\"\n"), "there is no folder"),
            (format!("{LISTENER}[admin]\nsocket = \"secret\"\n"), "this is no socket"),
            (format!("{LISTENER}[spool]\npath = \"secret\"\n"), "spool.path"),
            (format!("{LISTENER}[spool]\npath = \"secret/spool\"\n"), "is no folder"),
            (format!("{LISTENER}[relay]\nexport = \"hash:none/relay\"\n"), "relay.export"),
            (format!("{LISTENER}[directory]\nkey = \"short\"\n"), "32 octets"),
            (format!("{LISTENER}[directory]\npath = \"secret\"\n"), "it is not there, and the accounts"),
            (
                format!("{LISTENER}[log]\nfile = \"directory.sqlite\"\n"),
                "this is the place of directory.path and of log.file",
            ),
            (format!("{LISTENER}[[access]]\nmap = \"cidr:none\"\nat = \"client\"\n"), "none: "),
        ] {
            let Checked { refusals, .. } = folder.check(&text);
            if expected.is_empty() {
                assert!(refusals.is_empty(), "{text}: {refusals:?}");
            } else {
                assert!(refusals.iter().any(|refusal| refusal.contains(expected)), "{text}: {refusals:?}");
            }
        }
    }

    #[test]
    fn everything_is_found_at_once_and_nothing_is_made() {
        let folder = folder();
        let before = fs::read_dir(folder.0.path()).unwrap().count();
        let checked = folder.check(
            "[tls]\ncertificate = \"none\"\nkey = \"open.key\"\n[log]\nfile = \"none/log\"\n[[access]]\nmap = \"cidr:none\"\nat = \"client\"\n",
        );
        assert_eq!(checked.refusals.len(), 5, "{:?}", checked.refusals);
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), before);
    }

    #[test]
    fn what_keeps_nobody_from_his_work_is_a_warning() {
        let folder = folder();
        let text = "[tls]\ncertificate = \"other.pem\"\nkey = \"other.key\"\n[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"192.0.2.1:25\"]\n";
        let Checked { refusals, warnings } = folder.check(text);
        assert!(refusals.is_empty(), "{refusals:?}");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].contains("not for the name mail.example.test")
                && warnings[1].contains("192.0.2.1 is no address")
        );
        let export = format!("{LISTENER}[relay]\nexport = \"hash:relay\"\n");
        folder.write("relay", "of a map", 0o644);
        assert!(folder.check(&export).warnings.is_empty());
        let image = bdb::write(bdb::Kind::Hash, &[("192.0.2.7", "1")]).unwrap();
        fs::write(folder.0.path().join("relay"), image).unwrap();
        let warnings = folder.check(&export).warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("is not kept up to date"), "{warnings:?}");
    }
}
