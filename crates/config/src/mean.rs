//! From what is written to what is meant: `config::file` parsed into `config::Settings`, and checked across sections.

mod access;
mod border;
mod mail;
mod relay;
mod value;

use super::{
    file,
    report::Mistake,
    settings::{Admin, Directory, Dns, Log, MapEntries, Settings, Tls},
    source::{Place, Sources},
    tree::Tree,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The way to places and paths, and the mistakes found so far.
pub(crate) struct Meaning<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(crate) sources: &'t Sources,
    /// Folder of the configuration file.
    pub(crate) base_dir: &'t Path,
    pub(crate) mistakes: Vec<Mistake>,
}

impl Meaning<'_> {
    fn place(&self, path: &str) -> Place {
        self.sources.place(&self.tree.span(path))
    }

    /// One mistake a place: what follows from the first is no news.
    fn wrong(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let span = self.tree.span(path);
        if self.mistakes.iter().all(|known| known.span != span) {
            self.mistakes.push(Mistake { span, message: message.into(), hint });
        }
    }

    /// A parsed value, or a mistake at its place.
    fn parsed<T>(&mut self, path: &str, value: Result<T, value::Unreadable>) -> Option<T> {
        value.map_err(|why| self.wrong(path, format!("`{path}`: {}", why.message), why.hint)).ok()
    }
}

/// What the file means. With a mistake in `meaning`, the result is only fit to be thrown away.
pub(crate) fn settings(file: &file::File, meaning: &mut Meaning<'_>) -> Settings {
    let data_dir = meaning.base_dir.join(&file.data_dir);
    let tls = tls(&file.tls, meaning, &data_dir);
    Settings {
        file: meaning.place("hostname").file,
        hostname: hostname(&file.hostname, meaning),
        domains: relay::domains(&file.domains, meaning, &data_dir),
        listeners: border::listeners(&file.listener, meaning, (tls.is_some(), &data_dir)),
        relay: relay::relay(&file.relay, meaning, &data_dir),
        access: access::rules(&file.access, meaning, &data_dir),
        watch: access::watches(&file.watch, meaning),
        limits: border::limits(&file.limits, meaning),
        auth: border::auth(&file.auth, meaning),
        directory: Directory { path: data_dir.join(&file.directory.path), key: data_dir.join(&file.directory.key) },
        state_dir: data_dir.join(&file.state.path),
        spool: mail::spool(&file.spool, meaning, &data_dir),
        delivery: mail::delivery(&file.delivery, meaning, &data_dir),
        dns: dns(&file.dns, meaning),
        log: Log {
            format: file.log.format,
            file: file.log.file.as_ref().map(|path| data_dir.join(path)),
            level: file.log.level,
            lines_per_second_max: file.log.lines_per_second_max,
        },
        admin: admin(&file.admin, meaning, &data_dir),
        tls,
        data_dir,
    }
}

fn hostname(name: &str, meaning: &mut Meaning<'_>) -> String {
    meaning.parsed("hostname", value::host_name(name)).map(|name| name.as_str().to_owned()).unwrap_or_default()
}

/// What would relay for strangers, each at its entry.
pub(crate) fn dangers(settings: &Settings, meaning: &mut Meaning<'_>) {
    let Err(dangers) = settings.relay_policy(&MapEntries::default()) else { return };
    for danger in dangers {
        let path = danger_path(settings, &danger);
        let (why, hint) = split_hint(&danger.why.to_string());
        meaning.wrong(&path, format!("`{}`: \"{}\" {why}", key_of(&path), danger.written), &hint);
    }
}

/// The entry that a danger means: the one that stands in its line and is written so.
fn danger_path(settings: &Settings, danger: &guard::Danger) -> String {
    let relay = &settings.relay;
    let is = |text: String, place: &Place| text == danger.written && place.line() == danger.line;
    let network = relay.networks.iter().position(|it| is(it.net.to_string(), &it.place));
    let client = relay.clients.iter().position(|it| is(it.who.to_string(), &it.place));
    let domain = settings.domains.relay.iter().position(|it| is(it.domain.as_str().to_owned(), &it.place));
    let network = network.map(|index| format!("relay.networks[{index}]"));
    let client = || client.map(|index| format!("relay.clients[{index}]"));
    let domain = || domain.map(|index| format!("domains.relay[{index}].domain"));
    network.or_else(client).or_else(domain).unwrap_or_else(|| danger.key.trim_end_matches("_bits").to_owned())
}

fn key_of(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// The guard ends its reason with what to write instead.
fn split_hint(why: &str) -> (String, String) {
    let (why, hint) = why.split_once("; ").unwrap_or((why, ""));
    (why.to_owned(), hint.to_owned())
}

fn tls(tls: &file::Tls, meaning: &mut Meaning<'_>, data_dir: &Path) -> Option<Tls> {
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            Some(Tls { certificate: data_dir.join(certificate), key: data_dir.join(key) })
        }
        (None, None) => None,
        (Some(_), None) => {
            meaning.wrong("tls", "`tls.certificate` without `tls.key`", "give both, or neither");
            None
        }
        (None, Some(_)) => {
            meaning.wrong("tls", "`tls.key` without `tls.certificate`", "give both, or neither");
            None
        }
    }
}

fn dns(dns: &file::Dns, meaning: &mut Meaning<'_>) -> Dns {
    let mut servers = Vec::new();
    for (index, text) in dns.servers.iter().enumerate() {
        servers.extend(meaning.parsed(&format!("dns.servers[{index}]"), value::socket_addr(text, Some(53))));
    }
    Dns { servers, timeout: Duration::from_millis(dns.timeout_ms.into()) }
}

fn admin(admin: &file::Admin, meaning: &mut Meaning<'_>, data_dir: &Path) -> Admin {
    let mode = u32::from_str_radix(&admin.mode, 8).ok().filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        meaning.wrong("admin.mode", "`admin.mode` is octal permissions", "\"0600\": its owner alone");
    }
    if mode.is_some_and(|mode| mode & 0o007 != 0) {
        meaning.wrong(
            "admin.mode",
            "`admin.mode` opens the admin API to everybody",
            "\"0600\", or \"0660\" for a group",
        );
    }
    Admin { socket: data_dir.join(&admin.socket), mode: mode.unwrap_or(0o600) }
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

/// `/x` as it is, `x` below the folder.
fn below(dir: &Path, path: &str) -> PathBuf {
    dir.join(path)
}
