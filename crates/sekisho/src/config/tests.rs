use super::*;

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
    let Loaded { settings, file } = load(GOOD, &["relay.networks=['192.0.2.0/28']"]).expect("good");
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
