//! Random `hosts.allow`, random services and clients: who may is the same here as for tcpdmatch.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use common::{Random, run, scratch, workspace};
use maps::{Kind, Table};

const FILES: u64 = 40;
const QUESTIONS: usize = 100;

const DAEMONS: [&str; 5] = ["smtpd", "ipop3d", "a", "in.ftpd", "b"];
const ADDRESSES: [&str; 8] =
    ["10.0.0.1", "10.0.0.2", "10.1.0.1", "10.1.2.3", "192.168.1.7", "127.0.0.1", "2001:db8::1", "2001:db8:1::1"];
const PATTERNS: [&str; 27] = [
    "ALL",
    "LOCAL",
    "KNOWN",
    "UNKNOWN",
    "PARANOID",
    "10.",
    "10.1.",
    "10.0.0.1",
    "10.0.0.0/255.255.0.0",
    "10.1.0.0/16",
    "10.0.0.0/8",
    "0.0.0.0/0.0.0.0",
    "10.0.2.0/255.0.255.0",
    "[2001:db8::1]",
    "[2001:db8::]/32",
    "[2001:db8:1::]/48",
    ".example.com",
    "localhost",
    "LOCALHOST",
    "10.?.0.1",
    "1*.1",
    "*host",
    "192.168.1.",
    "ipop3d",
    "all",
    "unknown",
    "2001:db8::1",
];

fn list(random: &mut Random, words: &[&str]) -> String {
    let mut text = String::new();
    for n in 0..=random.below(4) {
        if n > 0 {
            text.push_str(random.of(&[" ", ",", ", ", " EXCEPT ", " except "]));
        }
        text.push_str(random.of(words));
    }
    text
}

fn rules(random: &mut Random) -> String {
    let daemons = ["ALL", "smtpd", "ipop3d", "IPOP3D", "a", "in.*", "?", "b", "KNOWN"];
    // An address of IPv6 without brackets would end the list at its first colon.
    let clients: Vec<&str> = PATTERNS.into_iter().filter(|p| !p.contains(':') || p.starts_with('[')).collect();
    let mut text = String::from("# made at random\n");
    for _ in 0..random.below(6) {
        let option = random.of(&["", "", "", " : allow", ": DENY", " : severity mail.info : allow"]);
        let space = random.of(&["", " ", " \\\n  "]);
        writeln!(text, "{}:{space}{}{option}", list(random, &daemons), list(random, &clients)).unwrap();
        if random.one_in(4) {
            text.push_str("\n \t\n# comment: ALL\n");
        }
    }
    text
}

#[test]
fn who_may_is_what_tcpdmatch_says() {
    let unpacking = ["--unpack", "tcpd", "tcpd"];
    run(Command::new("scripts/install-peers").args(unpacking).current_dir(workspace()), "bash", "");
    let program = workspace().join("target/peers/tcpd/usr/sbin/tcpdmatch");
    assert!(program.exists(), "no {}: the Debian package tcpd has it (scripts/install-peers)", program.display());
    let dir = scratch("tcpdmatch");
    let (mut granted, mut denied) = (0, 0);
    for seed in 1..=FILES {
        let mut random = Random::new(seed);
        let allow = rules(&mut random);
        fs::write(dir.join("hosts.allow"), &allow).unwrap();
        fs::write(dir.join("hosts.deny"), "ALL: ALL\n").unwrap();
        let table = Table::parse(Kind::HostsAllow, "hosts", &allow).unwrap_or_else(|e| panic!("{allow}: {e:?}"));
        for _ in 0..QUESTIONS {
            // Given an address it does not ask for its name.
            let (daemon, addr) = (random.of(&DAEMONS), random.of(&ADDRESSES));
            let output = run(Command::new(&program).args(["-d", daemon, addr]).current_dir(&dir), "tcpd", "");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let of = |word: &str| said.lines().find_map(|line| line.strip_prefix(word)).map(str::trim);
            let verdict = of("access:").unwrap_or_else(|| panic!("{daemon} {addr}: {said}"));
            let found = table.get(&format!("{daemon} {addr}"));
            let context = format!("seed {seed}: {daemon} {addr}: {said}; the files are in {}", dir.display());
            let permits = found.is_some_and(|found| found.value == "allow");
            assert_eq!(permits, verdict == "granted", "{context}");
            *(if permits { &mut granted } else { &mut denied }) += 1;
        }
    }
    assert!(granted > 500 && denied > 500, "{granted} granted, {denied} denied");
}
