use super::*;
use std::path::PathBuf;

/// `docs/` holds what the code generates; `SEKISHO_WRITE_DOCS=1 cargo test -p sekisho docs_` writes it anew.
fn same_as_committed(name: &str, generated: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs", name].iter().collect();
    if std::env::var_os("SEKISHO_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, generated).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "docs/{name} is old: SEKISHO_WRITE_DOCS=1 cargo test -p sekisho docs_");
}

fn json(value: &impl serde::Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("serialises"))
}

#[test]
fn docs_openapi() {
    same_as_committed("openapi.json", &json(&admin::openapi()));
}

#[test]
fn docs_configuration() {
    same_as_committed("sekisho.toml.md", &::config::reference::markdown());
    same_as_committed("sekisho.schema.json", &json(&::config::reference::schema()));
}

/// The table of numbers, and the alarms, in both languages.
#[test]
fn docs_monitoring() {
    for name in ["monitoring.md", "monitoring.ja.md"] {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs", name].iter().collect();
        let text = std::fs::read_to_string(path).expect("read");
        let (before, rest) = text.split_once("<!-- numbers -->\n").expect("a place for the table");
        let (_, after) = rest.split_once("<!-- /numbers -->").expect("its end");
        let table = telemetry::numbers::markdown();
        same_as_committed(name, &format!("{before}<!-- numbers -->\n{table}<!-- /numbers -->{after}"));
        for kind in telemetry::Kind::ALL {
            let about = kind.about();
            assert!(text.contains(&format!("| `{}` | {} |", about.code, about.level.code())), "{name}: {}", about.code);
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    Sekisho::command().debug_assert();
}

#[test]
fn every_command_and_option_says_what_it_is() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    check(&Sekisho::command());
}

#[test]
fn a_password_is_never_an_argument() {
    fn check(command: &clap::Command) {
        let spelt = |arg: &clap::Arg| format!("{:?}{:?}", arg.get_id(), arg.get_value_names()).to_lowercase();
        // A file that holds it is none.
        let is_none = |arg: &clap::Arg| arg.get_id().as_str().ends_with("_file");
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values() && !is_none(arg)) {
            assert!(!spelt(arg).contains("pass") && !spelt(arg).contains("secret"), "{}", spelt(arg));
        }
        command.get_subcommands().for_each(check);
    }
    check(&Sekisho::command());
}

#[test]
fn the_manual_of_the_file_names_every_key() {
    let page = docs::toml_5();
    for key in ::config::reference::sections().into_iter().flat_map(|section| section.keys) {
        assert!(page.contains(&key.path.replace('-', "\\-")), "{}", key.path);
    }
}

/// A short name is one everywhere: whatever takes a login completes it.
#[test]
fn every_login_is_completed_by_one_function() {
    fn check(command: &clap::Command, path: &str, seen: &mut usize) {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let names = arg.get_value_names().unwrap_or_default();
            let is_login = ["login", "auth"].contains(&arg.get_id().as_str()) || names.iter().any(|it| it == "LOGIN");
            let completed = arg.get_value_parser().type_id() == std::any::TypeId::of::<args::LoginName>();
            assert_eq!(is_login, completed, "sekisho {path} {}", arg.get_id());
            *seen += usize::from(is_login);
        }
        for below in command.get_subcommands() {
            check(below, &format!("{path} {}", below.get_name()), seen);
        }
    }
    let mut seen = 0;
    check(&Sekisho::command(), "", &mut seen);
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_short_name_is_of_the_default_domain() {
    let text = "hostname = \"mail.example.net\"\n[domains]\ndefault = \"example.net\"\n";
    let text = ::config::Text { name: "x.toml", text, base_dir: std::path::Path::new("/x") };
    let settings = ::config::parse(&text, &[]).expect("good").settings;
    for (typed, full) in [
        ("taro", "taro@example.net"),
        ("Taro", "taro@example.net"),
        ("taro-scanner", "taro-scanner@example.net"),
        ("taro@other.example", "taro@other.example"),
        ("", ""),
    ] {
        assert_eq!(args::LoginName::from(typed.to_owned()).full_by(&settings), full);
    }
}

#[test]
fn every_page_of_the_manual_has_its_sections() {
    let pages = docs::pages().expect("made");
    assert!(pages.len() > 60);
    for (name, text) in pages {
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(text.contains(&format!(".SH {section}\n")), "{name}: {section}");
        }
        let is_of_commands = text.contains(".SH SUBCOMMANDS");
        assert!(is_of_commands || text.contains(".SH EXAMPLES\n"), "{name}: EXAMPLES");
    }
}
