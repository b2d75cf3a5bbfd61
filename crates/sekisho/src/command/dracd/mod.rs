//! `sekisho dracd`, also as `rpc.dracd`: DRAC alone, with a database for other mail servers, in the place of the original.
//!
//! It stays in the foreground. What it knows lies in a folder beside the database; the database is made from it, and is
//! empty when nobody keeps it.

mod server;

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use drac::allow::Allow;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use self::server::{Server, Setup};
use super::args::Dracd;
use super::fault::{Exit, Fault};
use config::{Log, LogFormat, LogLevel};
use judge::outside;
use logging::Logger;

/// Where the original, and packages of it, have the list.
const ALLOW_FILES: [&str; 2] = ["/etc/mail/dracd.allow", "/etc/drac/dracd.allow"];

/// The arguments of this process; called by the name of the original, those of `sekisho dracd`.
pub(super) fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.collect();
    let name = arguments.first().and_then(|first| Path::new(first).file_name()).map(OsStr::to_owned);
    if name.is_some_and(|name| name == "rpc.dracd" || name == "dracd") {
        arguments.insert(1, "dracd".into());
    }
    arguments
}

/// Runs the command.
pub(super) fn run(args: &Dracd) -> Result<(), Fault> {
    let allow = allow_list(args.allow.as_deref(), &ALLOW_FILES)?;
    let address = address(args, if allow.is_some() { Adders::Listed } else { Adders::Loopback })?;
    let log = Log { format: LogFormat::Text, file: None, level: LogLevel::Info, lines_per_second_max: 1_000 };
    let logger = Logger::start(&log)?;
    let allow = allow.map(|loaded| {
        for warning in &loaded.warnings {
            warn!(%warning, "dracd allow");
        }
        loaded.allow
    });
    let setup = Setup { address, allow: allow.unwrap_or_else(Allow::loopback_only), args: args.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(setup));
    // A thread that hangs since a disk does not answer is not waited for.
    runtime.shutdown_background();
    logger.flush();
    served
}

async fn serve(setup: Setup) -> Result<(), Fault> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(setup).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    Ok(())
}

/// The list that was named, or one where the original has it; `None`: there is none.
fn allow_list(named: Option<&Path>, usual: &[&str]) -> Result<Option<drac::allow::Loaded>, Fault> {
    let usual = || usual.iter().map(Path::new).find(|path| path.exists());
    let Some(path) = named.or_else(usual) else { return Ok(None) };
    let loaded = outside::read_allow(path).map_err(|mistake| Fault::new(Exit::Usage, anyhow!(mistake)))?;
    Ok(Some(loaded))
}

/// Who may add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adders {
    /// The servers of a list.
    Listed,
    /// This host alone: there is no list.
    Loopback,
}

/// Where it listens. Beyond loopback only with a list: who may add makes this host's mail server relay.
fn address(args: &Dracd, adders: Adders) -> Result<SocketAddr, Fault> {
    let usual = match adders {
        Adders::Listed => Ipv4Addr::UNSPECIFIED,
        Adders::Loopback => Ipv4Addr::LOCALHOST,
    };
    let ip = args.bind.unwrap_or(IpAddr::V4(usual));
    if adders == Adders::Loopback && !ip.to_canonical().is_loopback() {
        let why = format!(
            "--bind {ip}: without a list of the servers that may add it listens on loopback only; write {}, such as \
             `255.255.255.255 192.0.2.5`, or name a list by --allow",
            ALLOW_FILES[0]
        );
        return Err(Fault::new(Exit::Usage, anyhow!(why)));
    }
    Ok(SocketAddr::new(ip, args.port))
}

/// Where the evidence lies: beside the database.
fn state_dir(database: &Path) -> PathBuf {
    let mut beside = database.as_os_str().to_owned();
    beside.push(".state");
    beside.into()
}

/// A failure that another try may get over.
fn temporary(what: &str, error: impl Into<anyhow::Error>) -> Fault {
    let error: Result<(), anyhow::Error> = Err(error.into());
    match error.with_context(|| what.to_owned()) {
        Err(error) => Fault::new(Exit::Temporary, error),
        Ok(()) => Fault::new(Exit::Temporary, anyhow!(what.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::args::{Command, Sekisho};
    use clap::Parser as _;

    fn parsed(line: &[&str]) -> Result<Dracd, i32> {
        let line = arguments(line.iter().map(OsString::from));
        match Sekisho::try_parse_from(line) {
            Ok(Sekisho { command: Command::Dracd(args), .. }) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.exit_code()),
        }
    }

    #[test]
    fn the_original_s_command_line_is_understood() {
        for line in [
            ["/usr/sbin/rpc.dracd", "-i", "-e", "10", "/etc/mail/other.db"].as_slice(),
            &["sekisho", "dracd", "-ie10", "/etc/mail/other.db"],
            &["./dracd", "-e", "10", "/etc/mail/other.db", "-i"],
        ] {
            let args = parsed(line).unwrap();
            assert_eq!((args.empty, args.minutes, args.database.to_str()), (true, 10, Some("/etc/mail/other.db")));
        }
        let args = parsed(&["rpc.dracd"]).unwrap();
        assert_eq!((args.empty, args.minutes, args.database.to_str()), (false, 30, Some("/etc/mail/dracd.db")));
    }

    /// With these the original spins, or answers nobody.
    #[test]
    fn a_life_that_is_none_is_refused() {
        for minutes in ["0", "-5", "x", "", "1441"] {
            assert_eq!(parsed(&["rpc.dracd", "-e", minutes]).unwrap_err(), 2, "{minutes}");
        }
        assert_eq!(parsed(&["rpc.dracd", "a.db", "b.db"]).unwrap_err(), 2);
        assert_eq!(parsed(&["rpc.dracd", "-x"]).unwrap_err(), 2);
    }

    #[test]
    fn t18_beyond_loopback_only_with_a_list() {
        let at = |bind: Option<&str>, adders| {
            let mut args = parsed(&["rpc.dracd"]).unwrap();
            args.bind = bind.map(|bind| bind.parse().unwrap());
            address(&args, adders).map(|address| address.ip().to_string()).map_err(|fault| fault.exit())
        };
        assert_eq!(at(None, Adders::Loopback).unwrap(), "127.0.0.1");
        assert_eq!(at(None, Adders::Listed).unwrap(), "0.0.0.0");
        for (bind, is_loopback) in
            [("127.0.0.1", true), ("::1", true), ("0.0.0.0", false), ("::", false), ("192.0.2.1", false)]
        {
            let expected = if is_loopback { Ok(bind.to_owned()) } else { Err(Exit::Usage) };
            assert_eq!(at(Some(bind), Adders::Loopback), expected);
            assert_eq!(at(Some(bind), Adders::Listed), Ok(bind.to_owned()));
        }
    }

    #[test]
    fn the_list_is_found_where_the_original_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&there, "255.255.255.255 192.0.2.5\n").unwrap();
        let usual = [here.to_str().unwrap(), there.to_str().unwrap()];
        let found = allow_list(None, &usual).unwrap().unwrap();
        assert!(found.allow.allows([192, 0, 2, 5].into()) && !found.allow.allows([127, 0, 0, 1].into()));
        assert!(allow_list(None, &usual[..1]).unwrap().is_none());
        assert_eq!(
            allow_list(Some(&here), &usual).unwrap_err().exit(),
            Exit::Usage,
            "one that was named must be there"
        );
        std::fs::write(&here, "0.0.0.0 0.0.0.0\n").unwrap();
        assert_eq!(allow_list(None, &usual).unwrap_err().exit(), Exit::Usage);
    }
}
