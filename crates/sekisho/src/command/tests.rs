use super::*;
use clap::CommandFactory as _;
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
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
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

#[test]
fn what_strangers_wrote_cannot_rule_the_terminal() {
    assert_eq!(table::printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
}
