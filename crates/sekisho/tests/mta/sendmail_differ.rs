//! Random look-ups in a random `access` file: sendmail's own rulesets and our reader find the same entries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use maps::{Kind, Subject, Table, Tag};

use super::{Sendmail, Setup};
use crate::demo::run;

const ENTRIES: usize = 200;
const KEYS: usize = 10_000;

/// sendmail's look-ups by the rulesets that `check_relay`, `check_mail` and `check_rcpt` call.
const RULESETS: &[&str] = &[
    "SAsk_client",
    "R<$+> <$+>\t$: $>D <$1> <?> <+ Connect> <$2>",
    "R<?> <$+>\t$: $>A <$1> <?> <+ Connect> <>",
    "SAsk_sender",
    "R<$+> <$+>\t$: $>SearchList <+ From> $| <F:$1@$2> <U:$1@> <D:$2> <>",
    "SAsk_local",
    "R<$+> <$+>\t$: $>SearchList <+ To> $| <F:$1@$2> <U:$1@> <D:$2> <>",
    "SAsk_other",
    "R<$+> <$+>\t$: $>SearchList <+ To> $| <F:$1@$2> <D:$2> <>",
];

/// Numbers that look random and are the same in each run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    fn one_of(&mut self, words: &[&str]) -> String {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap();
        words[at].to_owned()
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(9)).unwrap()
    }

    fn domain(&mut self) -> String {
        let mut name =
            self.one_of(&["test", "example", "Example", "jp", "de", "fr", "nl", "se", "fi", "no", "at", "ch"]);
        for _ in 0..=self.below(3) {
            name = format!("{}.{name}", self.one_of(&["a", "b", "c", "mail", "web", "spam", "Spam", "x-1"]));
        }
        name
    }

    fn user(&mut self) -> String {
        self.one_of(&["x", "X", "y", "x+d", "x+e", "info", "a.b", "x+d+e"])
    }

    fn address(&mut self) -> IpAddr {
        if self.below(3) == 0 {
            let part = u16::from(self.octet());
            return Ipv6Addr::new(0x2001, 0xdb8, part, 0, 0, 0, u16::from(self.octet()), 1).into();
        }
        Ipv4Addr::new(10, self.octet(), self.octet(), self.octet()).into()
    }

    /// A key of the file.
    fn entry(&mut self) -> String {
        let tag = self.one_of(&["", "", "Connect:", "From:", "To:", "Spam:"]);
        let key = match self.below(7) {
            0 => format!("{}@", self.user()),
            1 => format!("{}@{}", self.user(), self.domain()),
            2 => format!("x+*@{}", self.domain()),
            3 => self.domain(),
            4 => format!("[{}]", self.address()),
            _ => {
                let address = told(self.address());
                let cuts = usize::try_from(self.below(3)).unwrap();
                (0..cuts).fold(address, |key, _| key[..key.rfind(['.', ':']).unwrap()].to_owned())
            }
        };
        format!("{tag}{key}")
    }
}

/// An address as sendmail tells it in `${client_addr}`.
fn told(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let parts: Vec<String> = address.segments().iter().map(|part| format!("{part:x}")).collect();
            format!("IPv6:{}", parts.join(":"))
        }
    }
}

/// A question: as sendmail is asked it, and what our reader finds.
fn question(dice: &mut Dice, table: &Table) -> (String, Option<String>) {
    let found = |tag, subject: Subject<'_>| table.tagged(tag, subject).map(|found| found.value.to_string());
    if dice.below(2) == 0 {
        let addr = dice.address();
        let name = (dice.below(2) == 0).then(|| dice.domain());
        let shown = name.clone().unwrap_or_else(|| format!("[{}]", told(addr)));
        let ours = found(Tag::Connect, Subject::Client { addr, name: name.as_deref() });
        return (format!("Ask_client <{shown}> <{}>", told(addr)), ours);
    }
    let (user, domain) = (dice.user(), dice.domain());
    let path = format!("{user}@{domain}");
    let (ruleset, ours) = match dice.below(3) {
        0 => ("Ask_sender", found(Tag::From, Subject::Sender(&path))),
        1 => ("Ask_local", found(Tag::To, Subject::LocalRecipient(&path))),
        _ => ("Ask_other", found(Tag::To, Subject::Recipient(&path))),
    };
    (format!("{ruleset} <{user}> <{domain}>"), ours)
}

/// What `sendmail -bt` found, question for question.
fn sendmails_answers(sendmail: &Sendmail, questions: &str) -> Vec<Option<String>> {
    let file = sendmail.folder.write("questions", questions);
    let mut command = sendmail.command();
    let said = run(command.arg("-bt").stdin(fs::File::open(file).unwrap()));
    let results = said.lines().filter(|line| line.starts_with("Ask_") && line.contains(" returns: "));
    results
        .map(|line| {
            let word = line.split("returns: < ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            (word != "?").then(|| word.to_owned())
        })
        .collect()
}

#[test]
fn ten_thousand_look_ups_in_access() {
    let mut dice = Dice(0x5e41_5b0a_2026_1123);
    let mut entries = BTreeMap::new();
    while entries.len() < ENTRIES {
        let (key, number) = (dice.entry(), entries.len());
        entries.entry(key.to_ascii_lowercase()).or_insert((key, format!("V{number}")));
    }
    let text: String = entries.values().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key}\t{value}");
        text
    });
    let table = Table::parse(Kind::SendmailAccess, "access", &text).unwrap();
    assert_eq!(table.len(), ENTRIES);
    let sendmail = Sendmail::configure(&Setup { rulesets: RULESETS.to_vec(), ..Setup::default() });
    sendmail.makemap("hash", "access", &text);
    let asked: Vec<(String, Option<String>)> = (0..KEYS).map(|_| question(&mut dice, &table)).collect();
    let questions: Vec<&str> = asked.iter().map(|(question, _)| question.as_str()).collect();
    let theirs = sendmails_answers(&sendmail, &(questions.join("\n") + "\n"));
    assert_eq!(theirs.len(), KEYS, "an answer to each");
    let differing: Vec<_> = asked.iter().zip(&theirs).filter(|((_, ours), theirs)| ours != *theirs).collect();
    assert!(differing.is_empty(), "{} differ: {:#?}", differing.len(), &differing[..differing.len().min(10)]);
    // Enough was found for that to mean something.
    let found = theirs.iter().flatten().count();
    assert!((KEYS / 5..KEYS * 4 / 5).contains(&found), "{found} of {KEYS} were found");
}
