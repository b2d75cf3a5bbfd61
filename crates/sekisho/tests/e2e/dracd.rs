//! `sekisho dracd` alone, in the place of the original: what it keeps is read by Berkeley DB's own tools and by Postfix's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{PATIENCE, free_ports, run};

/// The keys of a database, as Berkeley DB itself reads them.
pub(crate) fn keys(file: &Path) -> Vec<String> {
    entries(file).into_iter().map(|(key, _)| key).collect()
}

fn entries(file: &Path) -> Vec<(String, String)> {
    let dump = run(Command::new("db_dump").arg("-p").arg(file));
    let lines: Vec<&str> = dump.lines().filter_map(|line| line.strip_prefix(' ')).collect();
    let mut all: Vec<_> = lines.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
    all.sort();
    all
}

struct Dracd {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    options: Vec<String>,
}

impl Dracd {
    fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, options) = (free_ports(), options.iter().map(|option| (*option).to_owned()).collect());
        let child = spawn(dir.path(), port, &options);
        let dracd = Self { child, dir, port, options };
        dracd.wait_until_ready(1);
        dracd
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("dracd.db")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&self, times: usize) {
        let started = Instant::now();
        while self.log().matches("dracd_listening").count() < times {
            assert!(started.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn add(&self, address: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(["drac", "add", &format!("127.0.0.1:{}", self.port), address]).output().unwrap()
    }

    fn added(&self, address: &str) {
        let output = self.add(address);
        assert!(output.status.success(), "{output:?}\n{}", self.log());
    }

    /// Starts it once more, with these options besides.
    fn restart(&mut self, more: &[&str]) {
        let times = self.log().matches("dracd_listening").count();
        let options = self.options.iter().cloned().chain(more.iter().map(|option| (*option).to_owned())).collect();
        self.child = spawn(self.dir.path(), self.port, &options);
        self.wait_until_ready(times + 1);
    }

    fn stop(&mut self) {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Dracd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// By the name of the original.
fn spawn(dir: &Path, port: u16, options: &Vec<String>) -> Child {
    let name = dir.join("rpc.dracd");
    if !name.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sekisho"), &name).unwrap();
    }
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(name);
    command.args(["--no-rpcbind", "--port", &port.to_string()]).args(options).arg(dir.join("dracd.db"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The reply comes when the database has it, so there is nothing to wait for.
#[test]
fn an_add_is_in_the_database_when_it_is_answered() {
    let mut dracd = Dracd::start(&["-e", "10"]);
    assert!(keys(&dracd.database()).is_empty());
    let before = now();
    dracd.added("192.0.2.10");
    dracd.added("2001:db8:0:0::10");
    let found = entries(&dracd.database());
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["192.0.2.10", "2001:db8::10"]);
    for (key, value) in found {
        let expiry: u64 = value.parse().unwrap_or_else(|_| panic!("{key}: {value}"));
        assert!((before + 600..=now() + 600).contains(&expiry), "{key}: {value}");
    }
    let query = |key: &str| {
        let table = format!("btree:{}", dracd.database().with_extension("").display());
        Command::new("postmap").args(["-q", key, &table]).output().unwrap()
    };
    let found = query("192.0.2.10");
    assert!(found.status.success() && found.stdout.trim_ascii().iter().all(u8::is_ascii_digit), "{found:?}");
    assert!(!query("192.0.2.11").status.success());
    // Nobody keeps it any more, so nobody may relay by it.
    dracd.stop();
    assert!(keys(&dracd.database()).is_empty());
}

#[test]
fn a_restart_keeps_what_i_forgets() {
    let mut dracd = Dracd::start(&["--hash"]);
    dracd.added("192.0.2.10");
    dracd.stop();
    dracd.restart(&[]);
    assert_eq!(keys(&dracd.database()), ["192.0.2.10"]);
    dracd.added("192.0.2.11");
    dracd.child.kill().unwrap();
    dracd.child.wait().unwrap();
    dracd.restart(&[]);
    assert_eq!(keys(&dracd.database()), ["192.0.2.10", "192.0.2.11"]);
    dracd.stop();
    dracd.restart(&["-i"]);
    assert!(keys(&dracd.database()).is_empty());
}

#[test]
fn what_expires_leaves_the_database() {
    let dracd = Dracd::start(&["-e", "1"]);
    dracd.added("192.0.2.10");
    let since = Instant::now();
    while !keys(&dracd.database()).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(80), "{:?}", entries(&dracd.database()));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(since.elapsed() > Duration::from_secs(58), "after {:?}", since.elapsed());
}

#[test]
fn t18_the_list_says_who_may_add() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("dracd.allow");
    fs::write(&list, "255.255.255.255 192.0.2.5\n").unwrap();
    let allow = list.display().to_string();
    let dracd = Dracd::start(&["--allow", &allow, "--bind", "127.0.0.1"]);
    let refused = dracd.add("192.0.2.10");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("permission denied"), "{refused:?}");
    assert!(keys(&dracd.database()).is_empty());
    // Without a list nobody but this host may come, so there is nothing to listen to elsewhere.
    let refusal = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.arg("dracd").args(options).arg(dir.path().join("x.db")).output().unwrap()
    };
    fs::write(&list, "128.0.0.0 0.0.0.0\n").unwrap();
    for options in [["--allow", allow.as_str()], ["--allow", "/nonexistent/dracd.allow"], ["-e", "0"], ["-e", "-1"]] {
        let output = refusal(&options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {output:?}");
    }
}

/// T19: over this way, too.
#[test]
fn t19_nobodys_addresses_are_not_in_the_database() {
    let dracd = Dracd::start(&[]);
    for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "127.0.0.1"] {
        assert_eq!(dracd.add(address).status.code(), Some(1), "{address}");
    }
    assert!(keys(&dracd.database()).is_empty());
    dracd.added("192.0.2.10");
    assert_eq!(keys(&dracd.database()), ["192.0.2.10"]);
}

/// A second one on the same database is refused: it would know half of what is so.
#[test]
fn only_one_keeps_a_database() {
    let dracd = Dracd::start(&[]);
    let mut second = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    let output = second.arg("dracd").arg("--no-rpcbind").arg(dracd.database()).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another process"), "{output:?}");
}

/// While the database cannot be written, the client is not told that all is well.
#[test]
fn a_database_that_cannot_be_written_is_a_system_error() {
    let dracd = Dracd::start(&[]);
    let beside = dracd.dir.path().join("dracd.db.tmp");
    // A folder in the place of the new file.
    fs::create_dir_all(beside.join("x")).unwrap();
    let refused = dracd.add("192.0.2.10");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("system error"), "{refused:?}");
    fs::remove_dir_all(&beside).unwrap();
    dracd.added("192.0.2.11");
    assert_eq!(keys(&dracd.database()), ["192.0.2.10", "192.0.2.11"]);
}
