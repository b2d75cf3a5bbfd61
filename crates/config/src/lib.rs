//! The configuration: as written ([`File`]), as meant ([`Settings`]), and what is wrong with it ([`Report`]).
//!
//! A text goes through `tree` (values with places), `shape` (keys, types, ranges) and the sections' `meant` (values, and how they
//! fit together). Each step finds all the mistakes it can, so that the operator corrects a file once. Nothing dangerous comes
//! out of here: what would relay for strangers (`policy`) is a mistake like any other, with its line.
//!
//! Each section of the file is a module of [`section`]: what is written with its defaults, what it means, what needs a restart.

mod diff;
mod file;
mod good;
mod map_file;
mod nearest;
mod places;
mod policy;
mod reading;
pub mod reference;
mod report;
mod restart;
pub mod section;
mod shape;
mod source;
mod tree;
mod value;

pub use diff::{Difference, diff};
pub use file::{File, Settings};
pub use good::Good;
pub use map_file::MapFile;
pub use policy::{MapDomain, MapEntries};
pub use report::{Mistake, Report};
pub use section::access::{Access, Stage};
pub use section::account::Account;
pub use section::acme::{Acme, AcmeProof};
pub use section::admin::Admin;
pub use section::alarms::{AlarmLanguage, Alarms};
pub use section::auth::Auth;
pub use section::delivery::{Delivery, Local, Remote, Smarthost, SmarthostLogin, SmarthostTls};
pub use section::directory::Directory;
pub use section::dns::Dns;
pub use section::dnsbl::{Code, Codes, Dnsbl, ListKind, is_listing};
pub use section::domains::{Domains, RelayDomain, Verify};
pub use section::guard::Guard;
pub use section::limits::Limits;
pub use section::listener::{AuthOffer, ListedClients, Listener, Protocol, RelayMode, TlsOffer};
pub use section::log::{Log, LogFormat, LogLevel};
pub use section::metrics::Metrics;
pub use section::permissions::Permissions;
pub use section::records::{Records, Redaction};
pub use section::relay::Record as RelayRecord;
pub use section::relay::{Client, ClientWho, Drac, Export, IdentityCollapse, Network, Pop, Relay, Rpcbind};
pub use section::spool::Spool;
pub use section::state::State;
pub use section::tls::Tls;
pub use section::watch::{Watch, WatchFormat, WatchSource};
pub use source::Position;
pub use value::HostPort;

use reading::Reading;
use tree::Tree;

use std::{io, path::Path, path::PathBuf, sync::Arc};

/// Where the configuration is looked for when none is given.
pub const DEFAULT_FILE: &str = "/etc/sekisho/sekisho.toml";

/// A configuration is small; more is some other file.
const FILE_OCTETS_MAX: u64 = 16 << 20;

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As written, with every default and override in its place.
    pub file: File,
    /// As meant.
    pub settings: Settings,
    /// The file's text.
    pub text: Arc<str>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file can be read, but not be meant so.
    #[error("{0}")]
    Mistaken(Report),
}

/// Reads a file, which may be a pipe, and lays each `KEY=VALUE` of `sets` over it.
pub fn read(path: &Path, sets: &[String]) -> Result<Loaded, ConfigError> {
    let text = read_text(path)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let base_dir = absolute.parent().unwrap_or(Path::new("/"));
    parse(&Text { name: &path.to_string_lossy(), text: &text, base_dir }, sets).map_err(ConfigError::Mistaken)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let octets = keep::read(path, FILE_OCTETS_MAX, keep::Accepts::Anything).map_err(unreadable)?;
    String::from_utf8(octets).map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// A configuration text and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// What mistakes and traces call it.
    pub name: &'a str,
    /// The TOML.
    pub text: &'a str,
    /// Folder that a relative `data_dir` is meant from.
    pub base_dir: &'a Path,
}

/// Reads a text and lays each `KEY=VALUE` of `sets` over it.
pub fn parse(text: &Text<'_>, sets: &[String]) -> Result<Loaded, Report> {
    let sources = Arc::new(tree::sources(text.name, text.text, sets));
    let report = |mistakes| Report::new(sources.clone(), mistakes);
    let tree = Tree::parse(&sources).map_err(report)?;
    let mistakes = shape::check(tree.root());
    let file = match tree.read::<File>() {
        Ok(file) => file,
        Err(mistake) if mistakes.is_empty() => return Err(report(vec![mistake])),
        Err(_) => return Err(report(mistakes)),
    };
    let data_dir = text.base_dir.join(&file.data_dir);
    let mut reading = Reading { tree: &tree, sources: &sources, base_dir: text.base_dir, data_dir, mistakes };
    let settings = file.meant(&mut reading);
    places::check(&file, &settings, &mut reading);
    policy::check(&settings, &mut reading);
    let mistakes = reading.mistakes;
    if mistakes.is_empty() { Ok(Loaded { file, settings, text: text.text.into() }) } else { Err(report(mistakes)) }
}

#[cfg(test)]
mod tests;
