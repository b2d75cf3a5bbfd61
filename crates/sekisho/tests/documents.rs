//! What the documents say is so: their commands run against a demo, their tables name what the code has.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

#[path = "documents/guard_page.rs"]
mod guard_page;
#[path = "documents/pages.rs"]
mod pages;
#[path = "e2e/support.rs"]
#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod support;
#[path = "documents/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Demo;

/// Lines that are not run, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("cargo run", "the demo under test stands for it"),
    ("./scripts/test", "this test is a part of it"),
    ("./scripts/bench", "it takes minutes, and needs root and an idle machine"),
    ("export PATH=", "the test puts the program under test first"),
    ("sekisho -c server/sekisho.toml serve", "it never ends, and needs ports below 1024"),
    ("apt install ./sekisho_*.deb", "it changes the machine; the package's own test looks into it"),
    (
        "sekisho init --hostname mail.example.net --domain example.net --acme",
        "it makes a user; the set-up's test does so",
    ),
    ("systemctl enable --now sekisho", "it starts a service of the machine"),
    ("sekisho status", "that service answers it"),
    ("sekisho probe dns example.net", "it asks the DNS of the world"),
];

/// The demo's ports as documents have them.
const PORTS: &[(&str, &str)] = &[
    (":2525", "smtp"),
    (":2587", "submission"),
    (":2465", "submissions"),
    (":2110", "pop3"),
    (":2995", "pop3s"),
    (":8025", "console"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"))
}

/// Every document whose commands are promised to work.
fn documents() -> Vec<String> {
    let mut found = vec!["README.md".to_owned(), "README.ja.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            found.push(format!("docs/{name}"));
        }
    }
    found.sort();
    found
}

/// The lines behind `$ ` in the document's `sh` blocks.
fn commands(document: &str) -> Vec<String> {
    let text = read(document);
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

fn is_exempt(command: &str) -> bool {
    EXEMPT.iter().any(|(start, _)| command.starts_with(start))
}

/// A script that runs the commands one after the other in one shell and stops at the first that fails.
fn script(commands: &[String], demo: &Demo) -> String {
    // What was sent lies where it belongs before the next command looks for it.
    let mut script = vec![String::from(
        "set -u\n\
         failed() { echo \"FAILED ($1): $2\" >&2; exit 1; }\n\
         settle() {\n  for _ in $(seq 600); do\n\
         \x20   [ \"$(sekisho -c demo/sekisho.toml queue list --json | tr -d ' \\n')\" = '[]' ] && return\n\
         \x20   sleep 0.1\n  done\n  failed queue 'mail is still in it'\n}\n",
    )];
    for command in commands.iter().filter(|command| !is_exempt(command)) {
        let mut real = command.clone();
        for (written, name) in PORTS {
            real = real.replace(written, &format!(":{}", demo.port(name)));
        }
        let quoted = command.replace('\'', "'\\''");
        script.push(if command.contains("|| echo refused") {
            // It must be refused, and by us: a mistake in the command would fail too.
            format!(
                "case \"$({{ {real}; }} 2>&1)\" in *failed:\\ 550*|*open\\ relay*) ;; *) failed 0 '{quoted}' ;; esac\n"
            )
        } else {
            format!("{real}\nrc=$?; [ $rc -eq 0 ] || failed $rc '{quoted}'\n")
        });
        script.push("settle\n".to_owned());
    }
    script.concat()
}

#[test]
fn commands_in_documents_work() {
    let program = Path::new(env!("CARGO_BIN_EXE_sekisho")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    for document in documents() {
        let commands = commands(&document);
        if commands.iter().all(|command| is_exempt(command)) {
            continue;
        }
        let demo = Demo::start();
        let dir = tempfile::tempdir().unwrap();
        symlink(demo.dir(), dir.path().join("demo")).unwrap();
        let output = Command::new("bash")
            .args(["-c", &script(&commands, &demo)])
            .current_dir(dir.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{document}:\n{said}\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn exemptions_are_needed() {
    let all: Vec<String> = documents().iter().flat_map(|document| commands(document)).collect();
    for (start, why) in EXEMPT {
        assert!(all.iter().any(|command| command.starts_with(start)), "no document has {start:?} ({why})");
    }
}

#[test]
fn every_reason_is_explained_in_both_languages() {
    for document in ["docs/refusals.md", "docs/refusals.ja.md"] {
        let text = read(document);
        let named: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
        let codes: BTreeSet<&str> = guard::Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(named, codes, "{document}");
    }
}

/// Replies are quoted in documents as the golden list has them, up to the address.
#[test]
fn quoted_replies_are_given() {
    let golden = read("crates/smtp/tests/replies.golden");
    for document in ["docs/refusals.md", "docs/refusals.ja.md"] {
        let text = read(document);
        let quoted =
            text.split('`').filter(|code| code.len() > 4 && code.as_bytes()[..3].iter().all(u8::is_ascii_digit));
        for quote in quoted.filter(|quote| quote.contains(' ') && !quote.ends_with(|c: char| c.is_ascii_digit())) {
            let known = golden.replace("<b@elsewhere.example>", "<…>").replace("[7kq2m4xd]", "[id]");
            assert!(known.lines().any(|line| line.ends_with(quote)), "{document}: no reply is {quote:?}");
        }
    }
}

#[test]
fn standards_name_modules_that_exist() {
    let text = read("docs/standards.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| RFC ") && line.as_bytes()[6].is_ascii_digit())
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 30, "the table was found");
    for row in rows {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(["whole", "part", "no"].contains(&row[3]), "{row:?}");
        for path in [row[2], row[4]].iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(root().join("crates").join(path).exists(), "{}: crates/{path} does not exist", row[0]);
        }
        assert!(row[3] == "no" || row[2].contains('`'), "{}: where?", row[0]);
    }
}

/// Each requirement names the tests that show it, or says why not.
#[test]
fn requirements_name_tests_that_exist() {
    let text = read("docs/standards.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| §")).collect();
    assert!(rows.len() > 120, "the tables were found");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 4 && ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"].contains(&cells[1]), "{row}");
        assert!(cells[3].starts_with("no: ") || cells[3].starts_with('`'), "shown by what? {row}");
        let mut file = String::new();
        for word in cells[3].split('`').skip(1).step_by(2).filter(|_| !cells[3].starts_with("no: ")) {
            if word.contains('/') {
                file = read(&format!("crates/{word}"));
            } else {
                assert!(file.contains(&format!("fn {word}(")), "no test {word}: {row}");
            }
        }
        assert!(!cells[3].ends_with(".rs`"), "which test? {row}");
    }
}

/// Each kind of fault names the tests that keep it out: whole, or their beginning as `t06_` and `what_…`.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let text = read("docs/threat-model.md");
    let (_, table) = text.split_once("\n## Kinds of faults\n").unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let dir = entry.unwrap().path();
        sources(&dir.join("src"), &mut files);
        sources(&dir.join("tests"), &mut files);
    }
    let code: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let rows: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).skip(1).collect();
    assert!(rows.len() > 80, "the table was found");
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells.len() == 3 && (cells[2] == "–" || cells[2].starts_with('`')), "{row}");
        for name in cells[2].split('`').skip(1).step_by(2) {
            let beginning = name.trim_end_matches('…');
            let end = if beginning.len() < name.len() || name.ends_with('_') { "" } else { "(" };
            assert!(code.contains(&format!("fn {beginning}{end}")), "no test {name}: {row}");
        }
    }
}

/// An event's levels and fields.
type Event = (BTreeSet<String>, BTreeSet<String>);

#[test]
fn every_log_event_is_listed_with_its_fields() {
    let mut there = events_in_code();
    let fates = there.remove("_kind_").expect("delivery tells fates");
    for (name, level) in
        [("delivered", "info"), ("deferred", "info"), ("bounced", "info"), ("held", "info"), ("dropped", "info")]
    {
        there.insert(name.to_owned(), (BTreeSet::from([level.to_owned()]), fates.1.clone()));
    }
    // The log's own writer makes these lines without a macro.
    let suppressed = ["event", "count"].map(String::from);
    there.insert("lines_suppressed".to_owned(), ([String::from("info")].into(), suppressed.into()));
    there.insert("lines_dropped".to_owned(), ([String::from("warn")].into(), [String::from("lines")].into()));
    let listed = events_in_document();
    let mut wrong = Vec::new();
    for (name, (levels, fields)) in there.iter().filter(|(name, event)| listed.get(*name) != Some(event)) {
        wrong.push(format!("must have | `{name}` | {levels:?} | {fields:?} |"));
    }
    wrong.extend(listed.keys().filter(|name| !there.contains_key(*name)).map(|name| format!("{name}: logged nowhere")));
    assert!(wrong.is_empty(), "docs/logs.md:\n{}", wrong.join("\n"));
}

/// What makes a sentence of an event's name.
const OF_SENTENCES: &[&str] = &[
    "a", "an", "and", "are", "be", "by", "cannot", "could", "did", "does", "in", "is", "no", "not", "of", "the", "to",
    "was", "were", "will", "with",
];

/// Log watchers read them: one noun or past participle, or one of each.
#[test]
fn events_have_short_names() {
    let events = events_in_document();
    let long: Vec<&String> = events.keys().filter(|name| !is_short(name)).collect();
    assert!(long.is_empty(), "docs/logs.md: {long:#?}");
    assert!(is_short("login") && is_short("login_failed"));
    for name in
        ["login_is_refused", "no_login", "Login", "dracd.allow", "a_b_c", "login_", "disappointingly_unreadable"]
    {
        assert!(!is_short(name), "{name}");
    }
}

fn is_short(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let is_word = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit())
            && !OF_SENTENCES.contains(word)
    };
    name.len() <= 24 && words.len() <= 2 && words.iter().all(is_word)
}

fn events_in_document() -> BTreeMap<String, Event> {
    let words = |cell: &str| cell.split([' ', ',', '`']).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    let text = read("docs/logs.md");
    let tables = text.split_once("\n## ").unwrap().1;
    let mut listed = BTreeMap::new();
    for row in tables.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert_eq!(cells.len(), 5, "{row}");
        let name = cells[0].trim_end_matches('`');
        let before = listed.insert(name.to_owned(), (words(cells[1]), words(cells[2])));
        assert!(before.is_none(), "docs/logs.md lists {name} twice");
    }
    listed
}

fn events_in_code() -> BTreeMap<String, Event> {
    let mut found: BTreeMap<String, Event> = BTreeMap::new();
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut files);
    }
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let text = text.split("\n#[cfg(test)]").next().unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            let call = format!("{level}!(");
            for (at, _) in text.match_indices(&call) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let mut arguments = arguments(&text[at + call.len()..]);
                let name = logged_name(arguments.pop().unwrap().trim().trim_matches('"'));
                let event = found.entry(name).or_default();
                event.0.insert(level.to_owned());
                event.1.extend(arguments.iter().map(|argument| field(argument)));
            }
        }
    }
    found
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The arguments of a macro call, from behind its opening bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    arguments.retain(|argument| !argument.trim().is_empty());
    arguments
}

/// `session = %x`, `%error`, `login` → the field's name.
fn field(argument: &str) -> String {
    let bare = argument.trim().trim_start_matches(['%', '?', '&']);
    bare.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// As the log writes an event's name.
fn logged_name(message: &str) -> String {
    message.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect()
}
