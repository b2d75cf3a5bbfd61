//! Random tables and random keys: what is read here says what Postfix's own reader says, and what refuses a file here is
//! what Postfix skips with a warning.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Random, run, scratch};
use maps::{Kind, Table};

/// So many files of each kind.
const FILES: u64 = 60;
/// Asked of each.
const KEYS: usize = 300;

struct Postfix {
    dir: PathBuf,
}

impl Postfix {
    fn new(test: &str) -> Self {
        let dir = scratch(test);
        // 3.6: with SMTPUTF8, as a new installation has it.
        fs::write(dir.join("main.cf"), "compatibility_level = 3.6\n").unwrap();
        Self { dir }
    }

    fn postmap(&self, arguments: &[&str], package: &str, input: &str) -> (String, String) {
        let mut command = Command::new("postmap");
        let output = run(command.arg("-c").arg(&self.dir).args(arguments).current_dir(&self.dir), package, input);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        // 0: found, 1: nothing found, or it gave up.
        let gave_up = stderr.contains("postmap: fatal") || stderr.contains("postmap: panic");
        assert!(output.status.code().is_some_and(|code| code < 2) && !gave_up, "{:?}: {stderr}", output.status);
        assert!(!stderr.contains("unsupported dictionary type"), "{stderr}: the Debian package {package} has it");
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    }

    /// What postmap prints for the keys, and in which lines it complains of something that it skips.
    fn ask(&self, kind: Kind, text: &str, keys: &[String]) -> (Vec<String>, BTreeSet<u32>) {
        fs::write(self.dir.join("table"), text).unwrap();
        let (word, package) = match kind {
            Kind::Pcre => ("pcre", "postfix-pcre"),
            Kind::Cidr => ("cidr", "postfix"),
            Kind::Regexp => ("regexp", "postfix"),
            Kind::Btree => ("btree", "postfix"),
            _ => ("hash", "postfix"),
        };
        let map = format!("{word}:table");
        let mut said = String::new();
        if matches!(word, "hash" | "btree") {
            let _ = fs::remove_file(self.dir.join("table.db"));
            said = self.postmap(&[&map], package, "").1;
        }
        let mut input = keys.join("\n");
        input.push('\n');
        let (stdout, stderr) = self.postmap(&["-q", "-", &map], package, &input);
        said.push_str(&stderr);
        (stdout.lines().map(str::to_owned).collect(), skipped(&said))
    }
}

/// The lines of which Postfix says that it skips them.
fn skipped(said: &str) -> BTreeSet<u32> {
    let harmless = [
        "using empty string",
        "has no matching ENDIF",
        "extra text after",
        "do not prepend",
        "alias file?",
        "obsolete regexp option",
        "non-numeric",
        "range replacement index \"",
    ];
    let of_interest = said.lines().filter(|line| {
        // A second line tells that a rule is skipped where the first told why.
        !harmless.iter().any(|word| line.contains(word)) || line.contains("skipping this")
    });
    of_interest
        .filter_map(|line| {
            // Of this one it does not tell the line; in these files it is the first.
            if line.contains("logical line must not start with whitespace") {
                return Some(1);
            }
            let (_, rest) = line.split_once(", line ")?;
            rest.split(':').next()?.parse().ok()
        })
        .collect()
}

/// Where each line's logical line begins.
fn starts(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.split('\n').collect();
    let counts = |line: &str| line.trim_start().chars().next().is_some_and(|c| c != '#');
    let mut start = 0;
    let mut in_one = false;
    lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let goes_on = in_one && (line.is_empty() || line.starts_with(['#', ' ', '\t', '\r']));
            if !goes_on {
                in_one = counts(line);
                start = number;
            }
            start
        })
        .collect()
}

/// The table, without the lines that refuse it, and which those are.
fn read(kind: Kind, text: &str, seed: u64) -> (Table, BTreeSet<u32>) {
    let mut refused = BTreeSet::new();
    let mut text = text.to_owned();
    loop {
        match Table::parse(kind, "table", &text) {
            Ok(table) => return (table, refused),
            Err(mistakes) => {
                let starts = starts(&text);
                let bad: BTreeSet<usize> = mistakes.iter().map(|m| starts[m.line as usize - 1]).collect();
                // The ENDIF of an IF that is gone is one too many, and the other way round: only the first counts.
                refused.extend(bad.iter().map(|start| u32::try_from(start + 1).unwrap()));
                assert!(!bad.is_empty() && refused.len() < 2_000, "seed {seed}: {mistakes:?}");
                let lines = text.split('\n').enumerate();
                let kept: Vec<&str> =
                    lines.map(|(n, line)| if bad.contains(&starts[n]) { "#" } else { line }).collect();
                text = kept.join("\n");
            }
        }
    }
}

/// One file with its keys, on both sides.
fn compare(postfix: &Postfix, (kind, seed): (Kind, u64), text: &str, keys: &[String]) {
    let (table, refused) = read(kind, text, seed);
    // Where a part is half of a character Postfix gives up.
    let odd = table.warnings().iter().any(|w| w.what.contains("its $"));
    let halves = |key: &&String| {
        let half = table.get(key).is_some_and(|found| found.value.contains('\u{fffd}'));
        half || (odd && !key.is_ascii())
    };
    let keys: Vec<String> = keys.iter().filter(|key| !halves(key)).cloned().collect();
    let (theirs, their_skipped) = postfix.ask(kind, text, &keys);
    let file = Path::new("table");
    assert_eq!(refused, their_skipped, "seed {seed}: lines of {}/{}", postfix.dir.display(), file.display());
    let ours: Vec<String> =
        keys.iter().filter_map(|key| table.get(key).map(|found| format!("{key}\t{}", found.value))).collect();
    // Of rules that were warned of, only which one it is counts.
    let unsure: BTreeSet<u32> = table.warnings().iter().filter(|w| w.what.contains("its $")).map(|w| w.line).collect();
    let only_rule = |lines: Vec<String>| -> Vec<String> {
        let shortened = lines.into_iter().map(|line| {
            let key = line.split('\t').next().unwrap_or("");
            let rule = table.get(key).filter(|found| unsure.contains(&found.line)).and(line.rsplit_once('<'));
            rule.map_or_else(|| line.clone(), |(rule, _)| rule.to_owned())
        });
        shortened.collect()
    };
    let (ours, theirs) = (only_rule(ours), only_rule(theirs));
    if ours == theirs {
        return;
    }
    let first = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
    panic!(
        "seed {seed}, {kind}: of {} keys, here {} are found, by Postfix {}; first difference: here {:?}, Postfix {:?}; the file is {}",
        keys.len(),
        ours.len(),
        theirs.len(),
        ours.get(first),
        theirs.get(first),
        postfix.dir.join("table").display()
    );
}

fn check(test: &str, kind: Kind, table: fn(&mut Random) -> String, key: fn(&mut Random) -> String) {
    let postfix = Postfix::new(test);
    for seed in 1..=FILES {
        let mut random = Random::new(seed);
        let written = table(&mut random);
        let keys: Vec<String> = (0..KEYS).map(|_| key(&mut random)).collect();
        compare(&postfix, (kind, seed), &written, &keys);
    }
}

// access(5)

const LOCAL: [&str; 12] = ["a", "B", "ab", "user", "User+x", "\"a b\"", "o\\ x", "é", "É", "straße", "ΣΑΣ", "x+y"];
const DOMAIN: [&str; 12] = [
    "example.com",
    "Example.ORG",
    "a.example.com",
    ".example.com",
    "com",
    "10.1.2",
    "10.1.2.3",
    "2001:db8::1",
    "ß.example",
    "SS.example",
    "unknown",
    "Ünï.example",
];
const VALUE: [&str; 10] = [
    "OK",
    "REJECT",
    "REJECT  two  words ",
    "550 5.7.1 no",
    "DUNNO",
    "a\tb",
    "1234567",
    "x:y",
    "\"quoted",
    "Ä ö #no comment",
];

fn access_key(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("{}@{}", random.of(&LOCAL), random.of(&DOMAIN)),
        1 => random.of(&DOMAIN).to_owned(),
        2 => format!("{}@", random.of(&LOCAL)),
        3 => random.of(&LOCAL).to_owned(),
        _ => format!("{}.{}.{}", random.below(3), random.below(3), random.below(3)),
    }
}

fn access_table(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..80 {
        let key = access_key(random);
        let value = random.of(&VALUE);
        let space = random.of(&[" ", "\t", "  \t "]);
        let end = random.of(&["\n", "\n", "\n", " \n", "\r\n", "\n\n", "\n# comment\n", "\n  # comment\n"]);
        match random.below(20) {
            0 => write!(text, "{key}{end}"),
            1 => write!(text, "{key}{space}{value}\n {value}{end}"),
            2 => write!(text, "{key}\n{space}{value}{end}"),
            3 => write!(text, "{key}{space}{value}\n# in between\n\n\tmore{end}"),
            4 => write!(text, "\"un{key}{space}{value}{end}"),
            5 => write!(text, "#{key}{space}{value}{end}"),
            6 => write!(text, "{key}:{space}{value}{end}"),
            7 => write!(text, "{key}\\{space}{value}{end}"),
            _ => write!(text, "{key}{space}{value}{end}"),
        }
        .unwrap();
    }
    if random.one_in(3) { format!("  begins with space\n{text}") } else { text }
}

#[test]
fn access_files_say_what_postmap_says() {
    check("access", Kind::Access, access_table, access_key);
}

#[test]
fn hash_and_btree_files_say_what_postmap_says() {
    check("hash", Kind::Hash, access_table, access_key);
    check("btree", Kind::Btree, access_table, access_key);
}

// cidr_table(5)

fn address(random: &mut Random) -> String {
    let octet = |random: &mut Random| [0, 1, 10, 127, 128, 255][random.below(6)];
    match random.below(10) {
        0..=5 => {
            let second = random.below(4);
            format!("10.{second}.{}.{}", octet(random), octet(random))
        }
        6 => format!("2001:db8:{:x}::{:x}", random.below(3), random.below(3)),
        7 => random
            .of(&[
                "::",
                "::1",
                "::ffff:10.0.0.1",
                "::10.0.0.1",
                "1:2:3:4:5:6:7:8",
                "1:2:3:4:5:6:7::",
                "::2:3:4:5:6:7:8",
                "1:2:3:4:5:6:10.0.0.1",
                "2001:DB8::A",
            ])
            .to_owned(),
        8 => random
            .of(&[
                "10.0.0",
                "10.0.0.1.1",
                "010.0.0.1",
                "10.0.0.256",
                "::1::",
                "1:2:3:4:5:6:7:8:9",
                "fffff::",
                "a",
                "",
                "[10.0.0.1]",
                "10.0.0.1 ",
                "1::2:3:4:5:6:7:8",
                "0x10.1.1.1",
                "::1%lo",
                "10.0.0.+1",
            ])
            .to_owned(),
        _ => format!("{}.0.0.0", octet(random)),
    }
}

fn network(random: &mut Random) -> String {
    let addr = address(random);
    let mut net = addr.clone();
    if random.one_in(2) {
        let bits = random.below(if addr.contains(':') { 131 } else { 34 });
        let parsed: Result<std::net::IpAddr, _> = addr.parse();
        // Host bits are wrong; mostly they are cut off.
        net = match (parsed, random.one_in(12)) {
            (Ok(std::net::IpAddr::V4(addr)), false) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(u32::try_from(32 - bits).unwrap()).unwrap_or(0);
                format!("{}/{bits}", std::net::Ipv4Addr::from(u32::from(addr) & mask))
            }
            (Ok(std::net::IpAddr::V6(addr)), false) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(u32::try_from(128 - bits).unwrap()).unwrap_or(0);
                format!("{}/{bits}", std::net::Ipv6Addr::from(u128::from(addr) & mask))
            }
            _ => format!("{addr}/{bits}"),
        };
    }
    match random.below(12) {
        0 => format!("[{net}]"),
        1 => match net.split_once('/') {
            Some((addr, bits)) => format!("[{addr}]/{bits}"),
            None => format!("[{net}"),
        },
        2 => format!("!{net}"),
        3 => format!("!!{net}"),
        _ => net,
    }
}

fn cidr_table(random: &mut Random) -> String {
    let mut text = String::new();
    for n in 0..60 {
        let net = network(random);
        match random.below(16) {
            0 => writeln!(text, "{}{net}", random.of(&["if ", "IF  ", "if !", "if ! "])),
            1 => writeln!(text, "if 10.{}.0.0/16", random.below(4)),
            2 | 3 => writeln!(text, "{}", random.of(&["endif", "ENDIF ", "endif x", "endif1", "endif#"])),
            4 => writeln!(text, "{net}"),
            5 => writeln!(text, "{net} r{n}\n  more # {n}\n#c\n\t!"),
            6 => writeln!(text, "! {net} neg{n}"),
            _ => writeln!(text, "{net}\tr{n} \t"),
        }
        .unwrap();
    }
    text
}

#[test]
fn cidr_files_say_what_postmap_says() {
    check("cidr", Kind::Cidr, cidr_table, address);
}

// regexp_table(5) and pcre_table(5)

const LETTERS: [&str; 9] = ["a", "b", "c", "A", "@", "-", "1", "é", " "];

fn pattern_key(random: &mut Random) -> String {
    (0..random.below(8)).map(|_| random.of(&LETTERS)).collect()
}

/// A piece of a pattern, both languages.
fn piece(random: &mut Random, depth: usize, own: &[&str]) -> String {
    let atom = match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => ".".to_owned(),
        1 => random
            .of(&[
                "[ab]",
                "[^a]",
                "[a-c]",
                "[]a]",
                "[^]a-]",
                "[[:alpha:]]",
                "[[:digit:]@]",
                "[^[:space:]1]",
                "[é]",
                "[a-]",
                "[+-1]",
            ])
            .to_owned(),
        2 => {
            let own = random.of(own);
            // Postfix repeats what has no width; our engine does not.
            let no_width = ["(?=", "(?!", "(?<=", "(?<!", "\\A", "\\z", "(?#"];
            if no_width.iter().any(|start| own.starts_with(start)) {
                return own.to_owned();
            }
            own.to_owned()
        }
        3..=5 => random.of(&["a", "b", "c", "@", "1", "é", "\\.", "\\@"]).to_owned(),
        _ => {
            let inner = sequence(random, depth - 1, own);
            format!("({inner})")
        }
    };
    let times = random.of(&["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}"]);
    format!("{atom}{times}")
}

fn sequence(random: &mut Random, depth: usize, own: &[&str]) -> String {
    (0..=random.below(3)).map(|_| piece(random, depth, own)).collect()
}

fn pattern(random: &mut Random, own: &[&str], or: bool) -> String {
    let mut text = sequence(random, 2, own);
    if or && random.one_in(3) {
        text = format!("{text}|{}", sequence(random, 1, own));
    }
    match random.below(6) {
        0 => format!("^{text}"),
        1 => format!("{text}$"),
        2 => format!("^({text})$"),
        _ => text,
    }
}

fn pattern_table(random: &mut Random, own: &[&str], flags: &[&str], or: bool) -> String {
    let mut text = String::new();
    for n in 0..30 {
        let pattern = pattern(random, own, or);
        let flag = random.of(flags);
        match random.below(14) {
            0 => writeln!(text, "if {}/{pattern}/{flag}", random.of(&["", "!", "! "])),
            1 => writeln!(text, "{}", random.of(&["endif", "EndIf", "endif x", "endifx", "if", "a b", "/a", "!"])),
            2 => writeln!(text, "!/{pattern}/{flag} not{n}"),
            3 => writeln!(text, "!/{pattern}/{flag} not{n} $1"),
            4 => writeln!(text, "~{pattern}~{flag}  r{n} $$ x "),
            5 => writeln!(text, "/{pattern}/{flag}"),
            6 => writeln!(text, "/{pattern}/{flag} {}", random.of(&["$x", "${1", "$", "$0", "$(1", "$12"])),
            7 => writeln!(text, "/{pattern}/{flag}\n  r{n}\n# no\n more"),
            8 | 9 => writeln!(text, "/({pattern})/{flag} r{n} <$1>"),
            10 => writeln!(text, "/^{pattern}(.*)$/{flag} r{n} <${{1}}-$2"),
            _ => writeln!(text, "/^{pattern}/{flag} r{n}"),
        }
        .unwrap();
    }
    text
}

#[test]
fn regexp_files_say_what_postmap_says() {
    // No \\< and \\>: where these are repeated glibc does not find what it should.
    fn table(random: &mut Random) -> String {
        let own = ["\\w", "\\W", "()", "[[.-.]]", "a**", "(a*)+", "{", "\\{", ")", "a{,2}", "x{", "\\s", "(a|b)"];
        pattern_table(random, &own, &["", "", "", "i", "m", "im", "ii", "q"], true)
    }
    check("regexp", Kind::Regexp, table, pattern_key);
}

#[test]
fn basic_regexps_say_what_postmap_says() {
    fn table(random: &mut Random) -> String {
        let own = [
            "\\(a\\)",
            "\\(b*\\)\\1",
            "+",
            "a\\+",
            "b\\?",
            "\\{",
            "*",
            "\\(*a\\)",
            "a\\|b",
            "^",
            "$",
            "a\\{2\\}",
            "|",
            "{",
            ")",
        ];
        pattern_table(random, &own, &["x", "x", "xi"], false)
    }
    check("regexp-basic", Kind::Regexp, table, pattern_key);
}

#[test]
fn pcre_files_say_what_postmap_says() {
    fn table(random: &mut Random) -> String {
        let own = [
            "\\d",
            "\\w",
            "\\S",
            "(?=a)",
            "(?!b)",
            "(?<=a)",
            "(?<!b)",
            "(?:ab)",
            "a*?",
            "a++",
            "(?>a*)",
            "\\bA",
            "(?i:A)",
            "(?-i)a",
            "[\\w@]",
            "[^\\d]",
            "\\x61",
            "\\Qa\\E",
            "\\h",
            "a{,2}",
            "{",
            "]",
            "}",
            "\\N",
            "(?<n>a)",
            "(?#x)",
            "\\061",
            "[\\x41-C]",
            "(a|b)",
            "\\A",
            "\\z",
        ];
        pattern_table(random, &own, &["", "", "", "i", "m", "s", "x", "A", "U", "E", "iU", "q"], true)
    }
    check("pcre", Kind::Pcre, table, pattern_key);
}
