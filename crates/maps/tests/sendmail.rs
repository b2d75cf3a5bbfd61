//! Random access databases and random clients, senders and recipients: what is found here is what sendmail's own rulesets
//! find in the database that makemap made of the same file.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Random, run, scratch, workspace};
use maps::{Kind, Subject, Table, Tag};

/// So many files.
const FILES: u64 = 24;
/// Asked of each.
const QUESTIONS: usize = 500;

/// What `scripts/install-peers` unpacks: the packages cannot be installed beside Postfix.
fn unpacked() -> PathBuf {
    let output = run(
        Command::new("scripts/install-peers")
            .args(["--unpack", "sendmail", "sendmail-bin", "sendmail-base", "sendmail-cf"])
            .current_dir(workspace()),
        "bash",
        "",
    );
    let root = workspace().join("target/peers/sendmail");
    assert!(
        output.status.success() && root.join("usr/libexec/sendmail/sendmail").exists(),
        "sendmail is not here: the Debian packages sendmail-bin, sendmail-base and sendmail-cf have it\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    root
}

struct Sendmail {
    root: PathBuf,
    dir: PathBuf,
}

impl Sendmail {
    fn new(test: &str) -> Self {
        let (root, dir) = (unpacked(), scratch(test));
        let at = dir.display();
        let mc = format!(
            "divert(0)dnl\nOSTYPE(`linux')dnl\n\
             define(`confDONT_BLAME_SENDMAIL', `MapInUnsafeDirPath,GroupWritableDirPathSafe')dnl\n\
             define(`QUEUE_DIR', `{at}')dnl\ndefine(`STATUS_FILE', `{at}/stat')dnl\ndefine(`ALIAS_FILE', `')dnl\n\
             define(`confPID_FILE', `{at}/pid')dnl\ndefine(`confCW_FILE', `-o {at}/cw')dnl\n\
             FEATURE(`access_db', `hash -T<TMPF> -o {at}/access', `skip')dnl\n\
             FEATURE(`greet_pause', `5000')dnl\nFEATURE(`ratecontrol')dnl\nFEATURE(`conncontrol')dnl\n\
             FEATURE(`accept_unresolvable_domains')dnl\nFEATURE(`nocanonify')dnl\n\
             MAILER(`local')dnl\nMAILER(`smtp')dnl\n\
             LOCAL_RULESETS\nSTranslate\nR$* $$| $*\t$: $1 $| $2\n"
        );
        fs::write(dir.join("test.mc"), mc).unwrap();
        let cf = root.join("usr/share/sendmail/cf");
        let output = run(
            Command::new("m4")
                .arg(format!("-D_CF_DIR_={}/", cf.display()))
                .args([cf.join("m4/cf.m4"), dir.join("test.mc")]),
            "m4",
            "",
        );
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::write(dir.join("test.cf"), output.stdout).unwrap();
        Self { root, dir }
    }

    /// Makes the database; the lines of which makemap complains, but for keys that are there already.
    fn makemap(&self, text: &str) -> BTreeSet<u32> {
        let _ = fs::remove_file(self.dir.join("access.db"));
        fs::write(self.dir.join("access.txt"), text).unwrap();
        let mut command = Command::new(self.root.join("usr/sbin/makemap"));
        let config = self.dir.join("test.cf");
        let output = run(command.arg("-C").arg(config).arg("hash").arg(self.dir.join("access")), "sendmail-bin", text);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(self.dir.join("access.db").exists(), "{said}");
        said.lines()
            .filter(|line| !line.contains("duplicate key"))
            .filter_map(|line| line.split_once(": line ")?.1.split(':').next()?.parse().ok())
            .collect()
    }

    /// What each ruleset returns for its argument.
    fn ask(&self, questions: &[String]) -> Vec<String> {
        let mut command = Command::new("unshare");
        // A name with a dot: else it waits a minute for one.
        let script = "hostname mx.test.example && exec \"$0\" \"$@\"";
        command.args(["-u", "sh", "-c", script]).arg(self.root.join("usr/libexec/sendmail/sendmail"));
        command.arg("-C").arg(self.dir.join("test.cf")).arg("-bt").current_dir(&self.dir);
        let mut input = questions.join("\n");
        input.push('\n');
        let output = run(&mut command, "sendmail-bin", &input);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answers: Vec<String> = text
            .split("\n> ")
            .skip(1)
            .filter_map(|answer| {
                Some(answer.lines().rev().find_map(|l| l.split_once("returns: "))?.1.trim().to_owned())
            })
            .collect();
        assert_eq!(answers.len(), questions.len(), "{}\n{text:.2000}", String::from_utf8_lossy(&output.stderr));
        answers
    }
}

/// The value, which is one word, in what a ruleset returns; none where it says that it found nothing.
fn value(answer: &str) -> Option<String> {
    let mut words = answer.split_whitespace().filter(|word| word.starts_with('v') && word[1..].parse::<u32>().is_ok());
    words.next_back().map(str::to_owned)
}

const LABELS: [&str; 6] = ["a", "B", "mx", "example", "com", "org"];
const USERS: [&str; 7] = ["u", "User", "u+x", "u+", "w+x+y", "x", "u.v"];
const TAGS: [&str; 9] = ["", "", "Connect:", "From:", "to:", "Spam:", "GreetPause:", "ClientRate:", "ClientConn:"];

fn domain(random: &mut Random) -> String {
    let labels: Vec<&str> = (0..=random.below(3)).map(|_| random.of(&LABELS)).collect();
    labels.join(".")
}

fn address(random: &mut Random) -> IpAddr {
    if random.one_in(3) {
        let part = |random: &mut Random| u16::try_from(random.below(2) * 0xd).unwrap();
        Ipv6Addr::new(0x2001, 0xdb8, part(random), 0, 0, part(random), 0, part(random)).into()
    } else {
        let octet = |random: &mut Random| u8::try_from(random.below(3)).unwrap();
        Ipv4Addr::new(10, octet(random), octet(random), octet(random)).into()
    }
}

/// As sendmail writes it.
fn written(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => format!("IPv6:{}", addr.segments().map(|s| format!("{s:x}")).join(":")),
    }
}

fn entry_key(random: &mut Random) -> String {
    let subject = match random.below(8) {
        0 | 1 => domain(random),
        2 => format!("{}@{}", random.of(&USERS), domain(random)),
        3 => format!("{}@", random.of(&["u", "u+x", "u+*", "w+*", "User", "x"])),
        4 => format!("{}@{}", random.of(&["u+*", "w+*", "u+x"]), domain(random)),
        5 => format!(".{}", domain(random)),
        _ => {
            let whole = written(address(random));
            let delimiter = if whole.contains(':') { ':' } else { '.' };
            let parts: Vec<&str> = whole.split(delimiter).collect();
            let cut = parts[..=random.below(parts.len())].join(&delimiter.to_string());
            if random.one_in(4) { format!("[{cut}]") } else { cut }
        }
    };
    let subject = if random.one_in(40) { String::new() } else { subject };
    format!("{}{subject}", random.of(&TAGS))
}

fn table(random: &mut Random) -> String {
    let mut text = String::from("# made at random\n");
    for n in 0..120 {
        let key = entry_key(random);
        let space = random.of(&["\t", " ", " \t "]);
        let end = random.of(&["", "", "", " ", "\t"]);
        match random.below(20) {
            0 => writeln!(text, "{key}"),
            1 => writeln!(text, " {key}{space}v{n}"),
            2 => writeln!(text, "\n \t\n#{key}{space}v{n}"),
            3 => writeln!(text, "{key}{space}SKIP{end}"),
            _ if key.is_empty() => writeln!(text),
            _ => writeln!(text, "{key}{space}v{n}{end}"),
        }
        .unwrap();
    }
    text
}

/// A question to both: the ruleset with its argument, and what is found here.
fn question(random: &mut Random, table: &Table) -> (String, Option<String>) {
    let (addr, name) = (address(random), domain(random));
    let path = format!("{}@{}", random.of(&USERS), domain(random));
    let (user, at) = path.split_once('@').unwrap();
    let known = !random.one_in(4);
    let client = Subject::Client { addr, name: known.then_some(name.as_str()) };
    let shown = if known { name.clone() } else { format!("[{}]", written(addr)) };
    let (full, host, local) = (format!("<F:{path}>"), format!("<D:{at}>"), format!("<U:{user}@>"));
    let search = |tag: &str, list: &[&String]| {
        let list: Vec<&str> = list.iter().map(|item| item.as_str()).collect();
        format!("Translate,SearchList <{tag}> $| {} <>", list.join(" "))
    };
    let (ruleset, found) = match random.below(9) {
        0 => (format!("Translate,Basic_check_relay {shown} $| {}", written(addr)), table.smtpd(client)),
        1 => (search("+ From", &[&full, &local, &host]), table.smtpd(Subject::Sender(&path))),
        2 => (search("+ To", &[&full, &host]), table.smtpd(Subject::Recipient(&path))),
        3 => (search("+ To", &[&full, &local, &host]), table.smtpd(Subject::LocalRecipient(&path))),
        4 => (search("! Spam", &[&full, &host, &local]), table.tagged(Tag::Spam, Subject::LocalRecipient(&path))),
        5 => (search("! Spam", &[&full, &host]), table.tagged(Tag::Spam, Subject::Recipient(&path))),
        6 => (format!("Translate,greet_pause {shown} $| {}", written(addr)), table.tagged(Tag::GreetPause, client)),
        rate => {
            let tag = if rate == 7 { Tag::ClientRate } else { Tag::ClientConn };
            let list = format!("<A:{}> <E:>", written(addr));
            (search(&format!("! {tag}"), &[&list]), table.tagged(tag, client))
        }
    };
    // `SKIP` that a search for a whole address finds is no error text to it; nobody writes that.
    let found = found.map(|found| found.value.into_owned()).filter(|value| !value.eq_ignore_ascii_case("SKIP"));
    (ruleset, found)
}

/// The table without the lines that refuse it; which those are, and those of white space.
fn read(text: &str) -> (Table, BTreeSet<u32>) {
    let mut refused = BTreeSet::new();
    let mut text = text.to_owned();
    loop {
        match Table::parse(Kind::SendmailAccess, "access.txt", &text) {
            Ok(table) => {
                refused.extend(table.warnings().iter().filter(|w| w.what.starts_with("white")).map(|w| w.line));
                return (table, refused);
            }
            Err(mistakes) => {
                let bad: BTreeSet<u32> = mistakes.iter().map(|m| m.line).collect();
                let lines = (1_u32..).zip(text.split('\n'));
                text = lines.map(|(n, line)| if bad.contains(&n) { "#" } else { line }).collect::<Vec<_>>().join("\n");
                refused.extend(bad);
            }
        }
    }
}

#[test]
fn access_files_say_what_the_rulesets_find() {
    let sendmail = Sendmail::new("sendmail");
    let mut matched = 0;
    for seed in 1..=FILES {
        let mut random = Random::new(seed);
        let text = table(&mut random);
        let complained = sendmail.makemap(&text);
        let (table, refused) = read(&text);
        let file = sendmail.dir.join("access.txt");
        assert_eq!(refused, complained, "seed {seed}: lines of {}", Path::new(&file).display());
        let (questions, ours): (Vec<String>, Vec<Option<String>>) =
            (0..QUESTIONS).map(|_| question(&mut random, &table)).unzip();
        let theirs = sendmail.ask(&questions);
        for ((question, ours), theirs) in questions.iter().zip(ours).zip(theirs) {
            assert_eq!(ours, value(&theirs), "seed {seed}: {question}: {theirs}; the file is {}", file.display());
            matched += u32::from(ours.is_some());
        }
    }
    assert!(matched > 2_000, "only {matched} of the questions found something");
}
