//! Configurations of other mail systems and what `sekisho import` makes of each: a folder a case, with the configuration and
//! the report that are expected. Where Postfix is installed, its own reading of `main.cf` agrees with ours.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use config::{self, Text};
use migrate::import::postfix::main_cf::MainCf;
use migrate::import::{self, Source};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The cases: folder, whose it is, and the file that is named.
const CASES: [(&str, Source, &str); 8] = [
    ("postfix-office", Source::Postfix, ""),
    ("postfix-open", Source::Postfix, "main.cf"),
    ("postfix-relay", Source::Postfix, ""),
    ("sendmail-mc", Source::Sendmail, ""),
    ("sendmail-cf", Source::Sendmail, "sendmail.cf"),
    ("drac-allow", Source::Drac, ""),
    ("drac-script", Source::Drac, "rc.drac"),
    ("hosts", Source::Hosts, "hosts.allow"),
];

/// A case where it may be changed: `@` in its files is the folder.
fn copied(case: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder(case)).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let text = text.replace(":@/", &format!(":{}/", to.path().display()));
        fs::write(to.path().join(entry.file_name()), text).unwrap();
    }
    to
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(case)
}

#[test]
fn each_case_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    for (case, source, name) in CASES {
        let dir = copied(case);
        let path = if name.is_empty() { dir.path().to_owned() } else { dir.path().join(name) };
        let imported = import::import(source, &path).unwrap();
        let here = dir.path().display().to_string();
        let report: String = imported.notes.iter().fold(String::new(), |all, note| all + &note.to_string() + "\n");
        // Relative places are meant from the folder.
        let report = report.replace(&format!("{here}/"), "");
        let made = [("expected.toml", imported.config.replace(&here, "@")), ("expected.txt", report)];
        for (file, text) in made {
            let file = folder(case).join(file);
            if std::env::var_os("SEKISHO_WRITE_CASES").is_some() {
                fs::write(&file, &text).unwrap();
            }
            if fs::read_to_string(&file).ok().as_deref() != Some(&text) {
                wrong.push(format!("{}:\n{text}", file.display()));
            }
        }
        let text = Text { name: "sekisho.toml", text: &imported.config, base_dir: Path::new("/") };
        config::parse(&text, &[]).unwrap();
    }
    assert!(wrong.is_empty(), "SEKISHO_WRITE_CASES=1 writes them anew\n{}", wrong.join("\n"));
}

fn sekisho(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekisho")).args(args).output().unwrap()
}

/// The whole command: a report, a file that `config check` has nothing against, and nothing written over.
#[test]
fn the_command_writes_a_configuration_that_is_good() {
    for (case, kind) in [("postfix-office", "postfix"), ("sendmail-mc", "sendmail"), ("drac-script/rc.drac", "drac")] {
        let (folder, name) = case.split_once('/').unwrap_or((case, ""));
        let from = copied(folder);
        let (path, file) = (from.path().join(name), from.path().join("made.toml"));
        let args = ["import", kind, path.to_str().unwrap(), "-o", file.to_str().unwrap()];
        let made = sekisho(&args);
        let told = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success() && made.stdout.is_empty() && told.contains(" -> "), "{told}");
        let checked = sekisho(&["config", "check", "-c", file.to_str().unwrap()]);
        assert!(checked.status.success(), "{case}: {}", String::from_utf8_lossy(&checked.stderr));
        let before = fs::read(&file).unwrap();
        assert_eq!(sekisho(&args).status.code(), Some(1), "a file that is there is not written over");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[test]
fn json_is_one_object() {
    let from = copied("postfix-open");
    let told = sekisho(&["import", "postfix", from.path().to_str().unwrap(), "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["config"].as_str().unwrap().contains("hostname = \"open.example\""));
    let dangers = told["notes"].as_array().unwrap().iter().filter(|note| note["outcome"] == "not_taken");
    assert!(dangers.count() > 5);
}

#[test]
fn what_is_no_such_configuration_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("main.cf");
    fs::write(&empty, "# nothing\n").unwrap();
    for (kind, path) in [
        ("postfix", empty.as_path()),
        ("sendmail", empty.as_path()),
        ("drac", empty.as_path()),
        ("postfix", Path::new("/nowhere/main.cf")),
        ("postfix", Path::new("/dev/zero")),
    ] {
        let told = sekisho(&["import", kind, path.to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(2), "{kind} {}", path.display());
        assert!(!told.stderr.is_empty() && told.stdout.is_empty());
    }
}

/// Parameters that Postfix has, each with one of the values that are made up.
const USERS: [(&str, &str); 5] = [
    ("relay_domains", "a1"),
    ("smtpd_banner", "a2"),
    ("mynetworks", "a3"),
    ("transport_maps", "a4"),
    ("smtpd_client_restrictions", "a5"),
];

const PIECES: [&str; 20] = [
    "one",
    "two, three",
    "$a1",
    "${a2}",
    "$(a3)",
    "${a1?yes}",
    "${a2:no}",
    "${a3?{is}:{is not}}",
    "$$",
    "$mydomain",
    "${{$a1} == {one} ? {same} : {other}}",
    "\n    next",
    "\n# comment\n\tmore",
    "\n\n  after a gap",
    "$nobody",
    "[::1]",
    "a=b",
    "${a1}.$a2",
    "${nobody?{x}:{y}}",
    "#no comment",
];

/// A `main.cf` of such pieces. The seed is the test's own, so that a failure can be seen again.
fn random_main(seed: &mut u64) -> String {
    let mut random = |below: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap() % below
    };
    let mut text = String::from("compatibility_level = 3.6\nmyhostname = host.example.test\n");
    for name in ["a1", "a2", "a3", "a4", "a5", "mydestination", "a1"] {
        let own = name.strip_prefix('a').and_then(|it| it.parse::<u64>().ok()).unwrap_or(9);
        let count = 1 + random(4);
        let value: Vec<&str> = (0..count)
            .map(|_| PIECES[random(PIECES.len())])
            // A name that leads back to itself is an error in Postfix.
            .filter(|piece| (1..4).all(|other| other < own || !piece.contains(&format!("a{other}"))))
            .collect();
        text = text + name + " = " + &value.join(" ") + "\n";
    }
    USERS.iter().fold(text, |text, (user, name)| text + user + " = $" + name + "\n")
}

/// Values are the same as `postconf` says, whatever is continued, commented, named by others or undefined.
#[test]
fn postconf_reads_main_cf_the_same() {
    if Command::new("postconf").args(["-d", "-h", "mail_version"]).output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "Postfix is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seed = 7;
    for round in 0..8 {
        let text = random_main(&mut seed);
        fs::write(dir.path().join("main.cf"), &text).unwrap();
        let main = MainCf::parse(&text);
        let names: Vec<&str> = USERS.iter().map(|(user, _)| *user).chain(["mydestination", "mydomain"]).collect();
        let told = Command::new("postconf").args(["-x", "-h", "-c"]).arg(dir.path()).args(&names).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let theirs: Vec<&str> = told.lines().collect();
        assert_eq!(theirs.len(), names.len(), "a line a value: {told}");
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, theirs) in names.iter().zip(theirs) {
            assert_eq!(blanks(&main.value(name)), blanks(theirs), "round {round}, {name} in\n{text}");
        }
    }
}
