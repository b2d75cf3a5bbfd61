//! Examples of every command: in `--help` and in the man pages. They stand in `examples.txt`, each with what it is for.

use clap::Command;

/// A line of comment for each command below it.
const TEXT: &str = include_str!("examples.txt");
const PROGRAM: &str = "sekisho ";

/// What it is for, and the command.
pub(super) type Example = (&'static str, &'static str);

/// The examples of a command, as `user add`; of the program none.
pub(super) fn of(path: &str) -> impl Iterator<Item = Example> {
    let lines = TEXT.lines().zip(TEXT.lines().skip(1));
    let pairs = lines.filter_map(|(before, line)| Some((before.strip_prefix("# ")?, line)));
    pairs.filter(move |(_, line)| is_of(line, path))
}

/// Whether a command line is one of the command, and not of one below it.
fn is_of(line: &str, path: &str) -> bool {
    let rest = line.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix(path));
    !path.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The commands with their examples at the end of each `--help`.
pub(super) fn with_examples(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let mut command = command;
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(&name, |it| below(it, &path));
    }
    let lines: Vec<String> = of(path).map(|(what, line)| format!("  # {what}\n  {line}")).collect();
    if lines.is_empty() { command } else { command.after_help(format!("Examples:\n{}", lines.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::args::Sekisho;
    use clap::{CommandFactory as _, Parser as _};

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        let mut below = command.get_subcommands().filter(|it| it.get_name() != "help").peekable();
        // One that can do without a subcommand is a command itself.
        if below.peek().is_none() || !command.is_subcommand_required_set() && !path.is_empty() {
            found.push(path.to_owned());
        }
        for it in below {
            leaves(it, format!("{path} {}", it.get_name()).trim(), found);
        }
    }

    fn words(line: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for (nth, part) in line.split('"').enumerate() {
            if nth % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        let (mut found, command) = (Vec::new(), with_examples(Sekisho::command()));
        leaves(&command, "", &mut found);
        assert!(found.len() > 60, "{found:?}");
        for path in found {
            assert!(of(&path).next().is_some(), "examples.txt has none of sekisho {path}");
            let mut at = &command;
            for name in path.split(' ') {
                at = at.find_subcommand(name).unwrap();
            }
            assert!(at.get_after_help().is_some_and(|text| text.to_string().starts_with("Examples:\n")), "{path}");
        }
    }

    /// What is shown as an example can be typed.
    #[test]
    fn every_example_is_a_command() {
        let lines: Vec<&str> = TEXT.lines().filter(|line| line.starts_with(PROGRAM)).collect();
        for line in &lines {
            if let Err(error) = Sekisho::try_parse_from(words(line)) {
                panic!("{line}\n{error}");
            }
        }
        let commented = TEXT.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(commented, lines.len(), "each has what it is for");
        assert!(TEXT.lines().all(|line| line.is_empty() || line.starts_with("# ") || line.starts_with(PROGRAM)));
    }
}
