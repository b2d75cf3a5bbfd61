//! The unit, and what systemd is told by the server that runs under it.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use crate::support::{Made, PATIENCE, root};

/// What is received until a message holds this.
fn told_until(socket: &UnixDatagram, word: &str) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let mut octets = [0; 1_024];
        let count = socket.recv(&mut octets).unwrap_or_else(|error| panic!("no {word}: {error}; {told:?}"));
        told.push(String::from_utf8(octets[..count].to_vec()).unwrap());
        if told.last().unwrap().lines().any(|line| line == word) {
            return told;
        }
    }
}

fn followed(socket: &UnixDatagram, name: &str) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let made = Made::new();
    // A ping a second.
    let server = made.serve_with(&[], &[("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "3000000")]);
    assert_eq!(told_until(socket, "READY=1").len(), 1, "before it nothing");
    let begun = std::time::Instant::now();
    told_until(socket, "WATCHDOG=1");
    told_until(socket, "WATCHDOG=1");
    assert!(begun.elapsed() > Duration::from_millis(900), "not all the time");
    assert!(Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap().success());
    let reloading = told_until(socket, "RELOADING=1").pop().unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    told_until(socket, "READY=1");
    let asked = made.run(&["reload"], "");
    assert!(asked.status.success());
    told_until(socket, "RELOADING=1");
    told_until(socket, "READY=1");
    let ended = std::thread::spawn(move || server.stop());
    told_until(socket, "STOPPING=1");
    assert_eq!(ended.join().unwrap(), Some(0));
}

#[test]
fn systemd_is_told_of_each_turn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    followed(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
}

/// Of a name that is no file: systemd chooses one in containers.
#[test]
fn systemd_is_told_over_an_abstract_socket() {
    let name = format!("sekisho-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    followed(&socket, &format!("@{name}"));
}

/// `systemd-analyze verify` returns 0 even on mistakes: what counts is that it says nothing.
#[test]
fn the_unit_is_sound_and_a_sandbox() {
    let unit = fs::read_to_string(root().join("packaging/sekisho.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sekisho.service");
    // Where the program is not installed, this would be a mistake of the machine.
    fs::write(&file, unit.replace("/usr/bin/sekisho", env!("CARGO_BIN_EXE_sekisho"))).unwrap();
    let analyzed = |args: &[&str]| {
        let output = Command::new("systemd-analyze").args(args).arg(&file).output();
        let output = output.unwrap_or_else(|e| panic!("systemd-analyze: {e} (scripts/install-peers installs it)"));
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(analyzed(&["verify", "--man=no"]), "");
    let security = analyzed(&["security", "--offline=true", "--no-pager"]);
    let line =
        security.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{security}"));
    let level = line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).unwrap();
    assert!(level <= 2.0, "{security}");
}
