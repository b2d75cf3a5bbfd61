//! `sekisho map`: files of other mail servers checked, compiled and asked, without a server. What `makemap`, `postmap` and
//! `postmap -q` are for, with every kind of file that access rules and relay entries are read from.

use std::io::{self, BufWriter};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use guard::never_granted::{Loopback, NeverGranted};
use guard::policy::Entry;
use guard::{ConfigLine, RelayPolicy, RelayPolicySpec};
use maps::Found;
use maps::{Kind, RelayWhat, Spec, SqlMap, Subject, Table, Tag};
use serde::Serialize;

use super::client::settings;
use super::fault::{Exit, Fault};
use super::global::Global;
use super::table::{printable, show, warnings};
use judge::tables;
use witness::export::replace;

/// A key from standard input is at most so long; no address is longer.
const KEY_OCTETS_MAX: usize = 4_096;

/// `sekisho map`
#[derive(Debug, Clone, Subcommand)]
pub enum Map {
    /// Check a file: each mistake with file, line and column
    ///
    /// Exit codes: 0 good; 1 it has mistakes, or an entry that would let everybody relay; 2 unknown type, or file not
    /// found.
    Check(MapFile),
    /// Compile a file to FILE.db, a Berkeley DB hash or btree for Postfix, sendmail and Exim
    ///
    /// FILE.db is replaced whole; if FILE has a mistake, the old FILE.db stays.
    Build(MapFile),
    /// Look up keys, and print KEY, a tab and VALUE for each key that is found
    ///
    /// Exit codes: 0 a key was found; 1 no key was found.
    Query(MapQuery),
}

/// A file and its type.
#[derive(Debug, Clone, Args)]
pub struct MapFile {
    /// TYPE:FILE, for example access:/etc/postfix/access; types: access, cidr, pcre, regexp, hash, btree, sendmail-access, deny,
    /// ip-allow, name-allow, relay-allow, hosts-allow, local-host-names, relay-domains, mailertable, mmdb (keys are addresses), sqlite, pgsql
    #[arg(value_name = "TYPE:FILE")]
    pub map: Spec,
}

/// `sekisho map query`
#[derive(Debug, Clone, Args)]
pub struct MapQuery {
    /// The file.
    #[command(flatten)]
    pub file: MapFile,
    /// Keys [default: standard input, one a line]
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Look up as the mail server does: networks and parent domains, parts of addresses, tags of sendmail
    ///
    /// With -c, domains.detail_delimiter says where the detail in user+detail@domain begins.
    #[arg(long)]
    pub smtpd: bool,
    /// What the keys are [default: addresses are clients, keys with an at sign are recipients, other names are greeting names]
    #[arg(long, requires = "smtpd")]
    pub at: Option<At>,
}

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum At {
    /// Addresses and names of clients
    Client,
    /// Names in HELO or EHLO
    Helo,
    /// Envelope senders; <> is the null sender
    Sender,
    /// Recipients
    Recipient,
}

pub(super) fn run(command: &Map, global: &Global) -> Result<(), Fault> {
    match command {
        Map::Check(file) => check(&file.map, global),
        Map::Build(file) => build(&file.map, global),
        Map::Query(query) => ask(query, global),
    }
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    entries: usize,
    warnings: Vec<String>,
    mistakes: Vec<String>,
}

fn check(map: &Spec, global: &Global) -> Result<(), Fault> {
    let mut checked = Checked { ok: false, entries: 0, warnings: Vec::new(), mistakes: Vec::new() };
    match read(map)? {
        Ok(table) => {
            checked.mistakes.extend(table.sql().and_then(wrong_of));
            checked.entries = table.len();
            checked.warnings = table.warnings().iter().map(ToString::to_string).collect();
            // The other kinds may be about anything: only `[[access]]` says what they are for.
            if map.kind == Kind::Access {
                checked.mistakes.extend(tables::not_here(&table));
            }
            checked.mistakes.extend(dangers(&table));
        }
        Err(mistakes) => checked.mistakes = mistakes,
    }
    checked.ok = checked.mistakes.is_empty();
    if global.json || checked.ok {
        show(global.form(), &checked, |it| {
            format!("{}{}: good; {}", warnings(&it.warnings), map.path, counted(it.entries))
        })?;
    }
    if checked.ok { Ok(()) } else { Err(mistaken(&checked.mistakes)) }
}

/// Why a database cannot be asked.
fn wrong_of(map: &Arc<SqlMap>) -> Option<String> {
    sqlmaps::check_now(map).err().map(|error| format!("{}:{}:1: {error}", map.file, map.query.line))
}

/// Entries that would let strangers relay, as the start of a server would say it.
fn dangers(table: &Table) -> Vec<String> {
    let never = NeverGranted::of(Loopback::Refused, &judge::outside::here());
    let mut spec = RelayPolicySpec { never, ..RelayPolicySpec::default() };
    for entry in table.relay_entries() {
        let line = ConfigLine::new(table.file(), entry.line);
        match &entry.what {
            RelayWhat::Client(client) => spec.client_map.push(Entry { text: client.to_string(), line }),
            RelayWhat::Domain(domain) => spec.relay_domains.push(Entry { text: domain.clone(), line }),
        }
    }
    let dangers = RelayPolicy::new(spec).err().unwrap_or_default();
    dangers.iter().map(|it| format!("{}:1: {:?} {}", it.line, it.written, it.why)).collect()
}

fn build(map: &Spec, global: &Global) -> Result<(), Fault> {
    // What Postfix looks up ends with NUL in postmap's files; makemap writes without.
    let (kind, terminated) = match map.kind {
        Kind::Access | Kind::Hash => (bdb::Kind::Hash, true),
        Kind::Btree => (bdb::Kind::Btree, true),
        Kind::SendmailAccess | Kind::Deny | Kind::Mailertable => (bdb::Kind::Hash, false),
        other => {
            let why =
                anyhow::anyhow!("{}: a file of type {other} is read as it is; there is nothing to build", map.path);
            return Err(Fault::new(Exit::Usage, why));
        }
    };
    let source = Path::new(&map.path);
    if !source.exists() {
        return Err(no_such_file(map));
    }
    let table = read(map)?.map_err(|mistakes| mistaken(&mistakes))?;
    let pairs: Vec<(&str, &str)> = table.pairs().collect();
    let options = bdb::Options { terminated, ..kind.into() };
    let compiled = tables::compiled(source);
    if compiled == source {
        let why = anyhow::anyhow!("{}: this names the database; name its source, without .db", map.path);
        return Err(Fault::new(Exit::Usage, why));
    }
    let of_file = |error: bdb::BdbError| Fault::new(Exit::No, anyhow::anyhow!("{}: {error}", compiled.display()));
    let image = bdb::write(options, &pairs).map_err(of_file)?;
    replace(&compiled, &image, Some(source)).map_err(|error| Fault::new(Exit::Temporary, error))?;
    let odd: Vec<String> = table.warnings().iter().map(ToString::to_string).collect();
    let built = serde_json::json!({ "file": compiled, "entries": pairs.len(), "warnings": odd });
    show(global.form(), &built, |_| format!("{}{}: {}", warnings(&odd), compiled.display(), counted(pairs.len())))
}

/// What sets a detail apart from its user: as a configuration that is named says, else `+`.
fn detail_delimiter(global: &Global) -> Result<Option<char>, Fault> {
    match global.config {
        Some(_) => Ok(settings(global)?.domains.detail_delimiter),
        None => Ok(Some('+')),
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    key: &'a str,
    value: &'a str,
    line: u32,
}

fn ask(query: &MapQuery, global: &Global) -> Result<(), Fault> {
    let table = read(&query.file.map)?.map_err(|mistakes| mistaken(&mistakes))?;
    let table = table.with_detail_delimiter(detail_delimiter(global)?);
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut asking = Asking { table: &table, query, out, json: global.json, found: 0 };
    let done = if query.keys.is_empty() {
        asking.all_of(io::stdin().lock())
    } else {
        query.keys.iter().try_for_each(|key| asking.one(key))
    };
    match done.and_then(|()| asking.end()) {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ if asking.found == 0 => Err(Fault::silent(Exit::No)),
        _ => Ok(()),
    }
}

struct Asking<'a, W> {
    table: &'a Table,
    query: &'a MapQuery,
    out: W,
    json: bool,
    found: u64,
}

impl<W: io::Write> Asking<'_, W> {
    /// One key a line. What is not UTF-8, or too long, is in no file.
    fn all_of(&mut self, mut input: impl io::BufRead) -> io::Result<()> {
        let mut octets = Vec::new();
        while {
            octets.clear();
            input.read_until(b'\n', &mut octets)?
        } > 0
        {
            let key = octets.strip_suffix(b"\n").unwrap_or(&octets);
            let key = key.strip_suffix(b"\r").unwrap_or(key);
            if let Some(key) = str::from_utf8(key).ok().filter(|key| key.len() <= KEY_OCTETS_MAX) {
                self.one(key)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, key: &str) -> io::Result<()> {
        let found = match self.table.sql() {
            Some(map) => self.asked(map, key)?,
            None if self.query.smtpd => as_server(self.table, key, self.query.at),
            None => self.table.get(key),
        };
        let Some(found) = found else { return Ok(()) };
        self.found += 1;
        if !self.json {
            return writeln!(self.out, "{key}\t{}", found.value);
        }
        self.out.write_all(if self.found == 1 { b"[\n" } else { b",\n" })?;
        serde_json::to_writer(&mut self.out, &Answer { key, value: &found.value, line: found.line })?;
        Ok(())
    }

    /// What a database says; that it says nothing is an error.
    fn asked(&self, map: &Arc<SqlMap>, key: &str) -> io::Result<Option<Found<'static>>> {
        let keys = if self.query.smtpd {
            let at = self.query.at.unwrap_or_else(|| guessed(self.table.kind(), key));
            self.table.keys_of(subject(key, at))
        } else {
            vec![key.to_lowercase()]
        };
        let found = sqlmaps::with_table(map, async |table| table.first(&keys).await).and_then(|found| found);
        let found = found.map_err(|error| io::Error::other(format!("{}:{}: {error}", map.file, map.query.line)))?;
        Ok(found.map(|value| Found { value: value.to_string().into(), line: map.query.line }))
    }

    fn end(&mut self) -> io::Result<()> {
        if self.json {
            self.out.write_all(if self.found == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()
    }
}

/// The look-ups of the server whose file it is.
fn as_server<'t>(table: &'t Table, key: &str, at: Option<At>) -> Option<Found<'t>> {
    if matches!(table.kind(), Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::HostsAllow | Kind::Mmdb) {
        return table.get(key);
    }
    if let Some((tag, rest)) = tagged(table.kind(), key) {
        let at = match tag {
            Tag::Connect => At::Client,
            Tag::From => At::Sender,
            _ => At::Recipient,
        };
        let host = format!("@{rest}");
        let rest = if at == At::Client || rest.contains('@') { rest } else { &host };
        return table.tagged(tag, subject(rest, at));
    }
    let at = at.unwrap_or_else(|| guessed(table.kind(), key));
    let whole = format!("@{key}");
    let key = if at == At::Recipient && !key.contains('@') { &whole } else { key };
    table.smtpd(subject(key, at))
}

/// `From:user@example.com`, as the file has it.
fn tagged(kind: Kind, key: &str) -> Option<(Tag, &str)> {
    let (word, rest) = key.split_once(':').filter(|_| kind == Kind::SendmailAccess)?;
    let tags = [Tag::Connect, Tag::From, Tag::To, Tag::Spam];
    Some((tags.into_iter().find(|tag| tag.as_str().eq_ignore_ascii_case(word))?, rest))
}

fn guessed(kind: Kind, key: &str) -> At {
    if matches!(kind, Kind::LocalHostNames | Kind::RelayDomains | Kind::Mailertable) {
        return At::Recipient;
    }
    match key {
        "" | "<>" => At::Sender,
        _ if key.parse::<IpAddr>().is_ok() => At::Client,
        _ if key.contains('@') && kind == Kind::Deny => At::Sender,
        _ if key.contains('@') => At::Recipient,
        _ if matches!(kind, Kind::SendmailAccess | Kind::Deny) => At::Client,
        _ => At::Helo,
    }
}

fn subject(key: &str, at: At) -> Subject<'_> {
    match (at, key.parse()) {
        (At::Client, Ok(addr)) => Subject::Client { addr, name: None },
        // No entry is about this address.
        (At::Client, Err(_)) => Subject::Client { addr: Ipv4Addr::UNSPECIFIED.into(), name: Some(key) },
        (At::Helo, _) => Subject::Helo(key),
        (At::Sender, _) => Subject::Sender(if key == "<>" { "" } else { key }),
        (At::Recipient, _) => Subject::Recipient(key),
    }
}

/// The table, or its mistakes. A file that cannot be had is wrong use.
fn read(map: &Spec) -> Result<Result<Table, Vec<String>>, Fault> {
    let path = PathBuf::from(&map.path);
    if !path.is_file() && !tables::compiled(&path).is_file() {
        return Err(no_such_file(map));
    }
    Ok(tables::read(map.kind, &path))
}

fn no_such_file(map: &Spec) -> Fault {
    Fault::new(Exit::Usage, anyhow::anyhow!("{}: no such file", map.path))
}

/// Each mistake in a line of its own, so that editors find the places.
fn mistaken(mistakes: &[String]) -> Fault {
    for mistake in mistakes {
        anstream::eprintln!("{}", printable(mistake));
    }
    Fault::silent(Exit::No)
}

fn counted(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}
