//! How fast big tables are read and asked: an access table of a million entries, a sendmail access database of as many,
//! and 100,000 rules of networks.
//!
//! `cargo run --release -p maps --example map_speed`
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for developers")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use maps::{Kind, Subject, Table};

const ENTRIES: u32 = 1_000_000;
const RULES: u32 = 100_000;
const ASKED: u32 = 1_000_000;

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

fn parse(kind: Kind, text: &str) -> Table {
    let started = Instant::now();
    let table = Table::parse(kind, "speed", text).unwrap();
    let took = started.elapsed();
    println!("{kind}: {} entries, {} octets, read in {:.3} s", table.len(), text.len(), took.as_secs_f64());
    table
}

fn ask(what: &str, keys: &[String], look_up: impl Fn(&str) -> bool) {
    let started = Instant::now();
    let found = keys.iter().filter(|key| black_box(look_up(key))).count();
    let each = started.elapsed().as_nanos() / u128::try_from(keys.len()).unwrap();
    println!("  {what}: {each} ns each, {found} of {} found", keys.len());
}

/// Each second key is there.
fn keys(make: impl Fn(u32) -> String) -> Vec<String> {
    let mut random = Random(0x5eed);
    (0..ASKED).map(|_| make(random.next() % (2 * ENTRIES))).collect()
}

fn main() {
    let mut random = Random(42);
    let mut access = String::new();
    let mut tagged = String::new();
    for n in 0..ENTRIES {
        match n % 3 {
            0 => writeln!(access, "user{n}@mail{}.example.com\tREJECT spam", n % 977).unwrap(),
            1 => writeln!(access, "host{n}.example.net\t550 5.7.1 go away").unwrap(),
            _ => writeln!(access, "{}\tOK", std::net::Ipv4Addr::from(n << 8)).unwrap(),
        }
        writeln!(tagged, "From:user{n}@mail{}.example.com\tREJECT", n % 977).unwrap();
    }
    let mut cidr = String::new();
    for _ in 0..RULES {
        let bits = 8 + random.next() % 25;
        let net = random.next() & (u32::MAX << (32 - bits));
        writeln!(cidr, "{}/{bits}\tREJECT", std::net::Ipv4Addr::from(net)).unwrap();
    }

    let mailbox = |n: u32| format!("user{n}@mail{}.example.com", n % 977);
    let table = parse(Kind::Access, &access);
    ask("one key", &keys(mailbox), |key| table.get(key).is_some());
    ask("a sender, with all its parts", &keys(mailbox), |key| table.smtpd(Subject::Sender(key)).is_some());
    ask("a name, with its parents", &keys(|n| format!("host{n}.example.net")), |key| {
        table.smtpd(Subject::Helo(key)).is_some()
    });

    let table = parse(Kind::SendmailAccess, &tagged);
    ask("a sender, with all its parts", &keys(mailbox), |key| table.smtpd(Subject::Sender(key)).is_some());

    let mut relays = String::new();
    for n in 0..ENTRIES {
        let word = if n % 5 == 0 { "OK" } else { "RELAY" };
        match n % 2 {
            0 => writeln!(relays, "Connect:{}\t{word}", std::net::Ipv4Addr::from(0x0a00_0000 + n)).unwrap(),
            _ => writeln!(relays, "host{n}.example.net\t{word}").unwrap(),
        }
    }
    let table = parse(Kind::SendmailAccess, &relays);
    println!("  {} entries for the relay policy", table.relay_entries().count());

    let table = parse(Kind::Cidr, &cidr);
    let mut random = Random(7);
    let addresses: Vec<String> = (0..ASKED).map(|_| std::net::Ipv4Addr::from(random.next()).to_string()).collect();
    ask("an address", &addresses, |key| table.get(key).is_some());
}
