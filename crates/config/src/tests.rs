use super::*;
use keep::text::grouped;

const GOOD: &str = r#"
hostname = "mail.example.net"
[[listener]]
name = "mx"
protocol = "smtp"
bind = ["0.0.0.0:25", "[::]:25"]
"#;

fn load(text: &str, sets: &[&str]) -> Result<Loaded, Report> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    parse(&Text { name: "t.toml", text, base_dir: Path::new("/etc/sekisho") }, &sets)
}

fn mistakes(text: &str, sets: &[&str]) -> Vec<String> {
    let report = load(text, sets).expect_err("has mistakes");
    report.mistakes().map(|(place, mistake)| format!("{place}: {}", mistake.message)).collect()
}

#[test]
fn a_small_file_means_the_defaults() {
    let Loaded { settings, file, .. } = load(GOOD, &["relay.networks=['192.0.2.0/28']"]).expect("good");
    assert_eq!(settings.listeners[0].bind.len(), 2);
    assert_eq!(settings.spool.path, Path::new("/var/lib/sekisho/spool"));
    assert_eq!(settings.relay.networks[0].place.to_string(), "--set:1:19");
    assert_eq!(settings.relay.pop.lifetime.as_secs(), 1_800);
    let shown = toml::to_string(&file).expect("serialises");
    let again = load(&shown, &[]).expect("what is shown can be read");
    assert_eq!(again.file, file);
}

#[test]
fn all_mistakes_of_form_are_told_at_once() {
    let text = r#"
hostname = 3
[limits]
hopps = 10
errors = 0
command_line_octets = "long"
[log]
level = "loud"
[spool]
mynetworks = []
"#;
    assert_eq!(
        mistakes(text, &["cache_minutes=3"]),
        [
            "t.toml:2:12: `hostname` is a string (\"…\"), not a whole number",
            "t.toml:4:1: unknown key `limits.hopps`",
            "t.toml:5:10: `limits.errors` is 1 to 10,000",
            "t.toml:6:23: `limits.command_line_octets` is a whole number, not a string (\"…\")",
            "t.toml:8:9: `log.level` is one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
            "t.toml:10:1: unknown key `spool.mynetworks`",
            "--set:1:1: unknown key `cache_minutes`",
        ]
    );
}

/// T3: what would relay for strangers does not start, and its line is named.
#[test]
fn t03_a_trust_list_that_trusts_strangers() {
    let text = r#"hostname = "mail.example.net"
[relay]
networks = [
  "192.0.2.0/28",
  "0.0.0.0/0",
  "172.0.0.0/8", "::/0",
  "198.51.100.7/24",
]
clients = [
  { name = ".com" },
  { ip = "8.0.0.0/8" },
  { ip = "192.0.2.1", name = "both.example" },
]
"#;
    let found = mistakes(text, &["relay.pop.ipv6_prefix=12"]);
    let places: Vec<&str> = found.iter().map(|it| it.split_once(": ").expect("a place").0).collect();
    let expected = [
        "t.toml:5:3",
        "t.toml:6:3",
        "t.toml:6:18",
        "t.toml:7:3",
        "t.toml:10:3",
        "t.toml:11:3",
        "t.toml:12:3",
        "--set:1:25",
    ];
    assert_eq!(places, expected, "{found:#?}");
}

#[test]
fn mistakes_across_sections() {
    let text = r#"hostname = "mail"
data_dir = "data"
[[listener]]
name = "mx"
protocol = "smtp"
bind = ["0.0.0.0:25", "0.0.0.0"]
proxy_from = ["0.0.0.0/0"]
[[listener]]
name = "mx"
protocol = "pop3s"
auth = "never"
greet_pause_ms = 10
bind = ["0.0.0.0:25"]
[delivery]
remote = "smarthost"
[admin]
mode = "0666"
[tls]
key = "x"
[auth]
mechanisms = ["CRAMMD5"]
"#;
    let found = mistakes(text, &[]);
    let places: Vec<&str> = found.iter().map(|it| it.split_once(": ").expect("a place").0).collect();
    let expected = [
        "t.toml:1:12",
        "t.toml:6:23",
        "t.toml:7:15",
        "t.toml:9:8",
        "t.toml:10:12",
        "t.toml:11:8",
        "t.toml:12:18",
        "t.toml:13:9",
        "t.toml:15:10",
        "t.toml:17:8",
        "t.toml:18:1",
        "t.toml:21:15",
    ];
    assert_eq!(places, expected, "{found:#?}");
}

#[test]
fn a_mistake_is_shown_in_its_line_with_a_hint() {
    let report = load("hostname = \"a.example\"\n[limits]\nhopps = 3\n", &[]).expect_err("a mistake");
    let shown = report.to_string();
    for part in ["error: unknown key `limits.hopps`", "t.toml:3:1", "3 | hopps = 3", "did you mean `hops`?"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

/// The doc comment of every key ends with its default, and says its range, as the code has them.
#[test]
fn the_reference_says_the_truth() {
    let schema = shape::schema();
    for key in reference::sections().into_iter().flat_map(|section| section.keys) {
        let about = key.about.replace('\n', " ");
        let pointer = key.path.split('.').fold(String::new(), |at, part| match part.strip_suffix("[]") {
            Some(list) => format!("{at}/properties/{list}/items"),
            None => format!("{at}/properties/{part}"),
        });
        let Some(value) = schema.pointer(&pointer) else { continue };
        if let (Some(min), Some(max)) = (value["minimum"].as_i64(), value["maximum"].as_i64()) {
            let range = format!("{} to {}", grouped(min), grouped(max));
            assert!(about.contains(&range), "{}: says no range {range}: {about}", key.path);
        }
        let told = match (&key.default, key.required) {
            (_, true) => "Required.".to_owned(),
            (None, false) => "Default ".to_owned(),
            (Some(default), false) => match default.parse::<i128>() {
                Ok(number) => format!("Default {}", grouped(number)),
                Err(_) => format!("Default `{}`", default.replace(',', ", ")),
            },
        };
        assert!(about.contains(&told), "{}: does not say {told}: {about}", key.path);
    }
}

/// No key is parsed and then forgotten: its section's meaning reads each, and the program each of what that makes of them.
#[test]
fn every_key_is_read_somewhere() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sections, mut program) = (String::new(), String::new());
    gather(&source.join("section"), &mut sections);
    gather(&source.join("file.rs"), &mut sections);
    gather(&source.join("policy.rs"), &mut program);
    for user in users() {
        gather(&user.join("src"), &mut program);
    }
    let meaning = items(&sections, |head| head.starts_with("impl Written") || head == "impl File {").join("\n");
    let reads = |text: &str, name: &str| {
        text.match_indices(&format!(".{name}")).any(|(at, found)| {
            !text[at + found.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || "_(".contains(next))
        })
    };
    for key in reference::sections().into_iter().flat_map(|section| section.keys) {
        let name = key.path.rsplit('.').next().expect("a name").trim_end_matches("[]");
        assert!(reads(&meaning, name), "{} is parsed, and means nothing", key.path);
    }
    let is_written = |head: &str| head.starts_with("pub struct Written") || head == "pub struct File {";
    let meant = items(&sections, |head| head.starts_with("pub struct ") && !is_written(head)).join("\n");
    let fields = meant.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    for (name, _) in fields.filter(|(name, _)| !name.contains(' ')) {
        assert!(reads(&program, name), "`{name}` of the settings is used nowhere");
    }
}

/// The items of a source whose first line is such a one.
fn items(text: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(head) = lines.next() {
        if is_wanted(head) {
            let rest: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            found.push(format!("{head}\n{}", rest.join("\n")));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn what_needs_a_restart_is_named() {
    let keys = |sets: &[&str]| {
        let before = load(GOOD, &[]).expect("good").settings;
        before.needing_a_restart(&load(GOOD, sets).expect("good").settings)
    };
    assert!(keys(&["limits.errors=3", "relay.networks=['192.0.2.1']", "log.level=debug"]).is_empty());
    assert!(keys(&["delivery.quota_octets=5", "delivery.maildir_root=m", "auth.apop=false"]).is_empty());
    assert_eq!(keys(&["hostname=b.example.test", "state.path=s"]), ["hostname", "state.path"]);
    assert_eq!(keys(&["delivery.remote=sink"]), ["delivery.remote (smarthost, sink)"]);
    let sets = ["spool.give_up_hours=9", "dns.timeout_ms=900", "auth.failure_minutes=9", "delivery.concurrency=9"];
    let named = ["dns.timeout_ms", "auth.failure_minutes", "spool.give_up_hours", "delivery.concurrency"];
    assert_eq!(keys(&sets), named);
}

/// The operator finds what is named in his file.
#[test]
fn what_needs_a_restart_is_named_as_it_is_written() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sections = String::new();
    gather(&source.join("section"), &mut sections);
    gather(&source.join("file.rs"), &mut sections);
    let known: Vec<String> =
        reference::sections().into_iter().flat_map(|section| section.keys).map(|key| key.path).collect();
    let named: Vec<&str> =
        sections.split("restart.compare(\"").skip(1).filter_map(|rest| rest.split(['"', ' ']).next()).collect();
    assert!(named.len() > 20, "{named:?}");
    for key in named {
        assert!(known.iter().any(|it| it == key), "there is no key `{key}`");
    }
}

/// The crates that are configured: all that depend on this one.
fn users() -> Vec<std::path::PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let depends = |manifest: String| {
        let product = manifest.split("[dev-dependencies]").next().unwrap_or_default().to_owned();
        product.lines().any(|line| line.starts_with("config."))
    };
    let members = std::fs::read_dir(crates).expect("a folder").flatten().map(|entry| entry.path());
    let users = |it: &std::path::PathBuf| std::fs::read_to_string(it.join("Cargo.toml")).is_ok_and(depends);
    members.filter(users).collect()
}

fn gather(path: &Path, text: &mut String) {
    if path.is_dir() {
        std::fs::read_dir(path).expect("a folder").flatten().for_each(|entry| gather(&entry.path(), text));
    } else {
        *text += &std::fs::read_to_string(path).expect("readable");
    }
}

/// Every `cases/NAME.toml` is wrong, and `cases/NAME.txt` is what the operator reads.
/// `SEKISHO_WRITE_CASES=1` writes the latter anew.
#[test]
fn bad_configurations_are_told_as_written_down() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = 0;
    for entry in std::fs::read_dir(&dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let report = parse(&Text { name: &name, text: &text, base_dir: Path::new("/etc/sekisho") }, &[]);
        let shown = format!("{}\n", report.expect_err("has mistakes"));
        let expected = path.with_extension("txt");
        if std::env::var_os("SEKISHO_WRITE_CASES").is_some() {
            std::fs::write(&expected, &shown).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), shown, "{name}");
        cases += 1;
    }
    assert_eq!(cases, 11);
}

proptest::proptest! {
    /// Whatever is written, reading it ends in settings or in mistakes with places, never in a panic.
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}", set in ".{0,40}", cut in 0_usize..200) {
        let good = format!("{GOOD}[relay]\nnetworks = ['192.0.2.0/28']\n");
        let end = (0..=cut.min(good.len())).rev().find(|at| good.is_char_boundary(*at)).unwrap_or(0);
        for text in [text.clone(), format!("{}{text}", &good[..end]), format!("{good}{text}")] {
            if let Err(report) = load(&text, &[&set]) {
                proptest::prop_assert!(report.mistakes().count() > 0);
                proptest::prop_assert!(!report.to_string().is_empty());
            }
        }
    }
}
