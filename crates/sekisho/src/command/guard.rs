//! `sekisho guard`: clients against whom nothing is held, and `sekisho config defaults`.

use super::{
    args::Guard,
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table::{self, show},
};
use admin::client::Method;
use anyhow::anyhow;
use guard::ConfigLine;
use guard::rule::{Action, Mode};
use guard::suspicion::Effect;
use guard::suspicion::defaults::{TABLE, Thresholds};
use guard::suspicion::exempt::Who;
use keep::{NewFile, Owner};
use serde::Serialize;
use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// What everybody may read: names and addresses of other people's servers are no secret.
const MODE: u32 = 0o644;

#[derive(Debug, Serialize)]
struct Done {
    who: String,
    in_force: bool,
}

pub(super) async fn run(command: Guard, global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    let path = &settings.guard.exempt_file;
    let exempted = judge::exempted(path).map_err(|mistakes| anyhow!(mistakes.join("\n")))?;
    match command {
        Guard::Exempt { who } => {
            let wanted = read(&who)?;
            if !exempted.iter().any(|(there, _)| *there == wanted) {
                write(path, |text| format!("{text}{who}\n"))?;
            }
            let done = Done { who, in_force: reloaded(global).await? };
            show(global.form(), &done, |it| told(it, "Nothing is held against", "any more"))
        }
        Guard::Unexempt { who } => {
            let wanted = read(&who)?;
            let lines: Vec<u32> =
                exempted.iter().filter(|(there, _)| *there == wanted).map(|(_, line)| line.line).collect();
            if lines.is_empty() {
                return Err(Fault::new(Exit::No, anyhow!("{} does not name {who}", path.display())));
            }
            write(path, |text| without(text, &lines))?;
            let done = Done { who, in_force: reloaded(global).await? };
            show(global.form(), &done, |it| told(it, "The rules look again at", "from now on"))
        }
        Guard::List => {
            let rows: Vec<[String; 2]> = exempted.iter().map(|(who, line)| [spelt(who), place(line)]).collect();
            show(global.form(), &rows, |rows| {
                table::list(["CLIENT", "LINE"], rows.iter().cloned(), ["exemption", "exemptions"])
            })
        }
    }
}

fn read(who: &str) -> Result<Who, Fault> {
    config::section::guard::who(who).map_err(|why| Fault::new(Exit::Usage, anyhow!(why)))
}

fn told(done: &Done, before: &str, after: &str) -> String {
    let when = if done.in_force { "" } else { "; the server is not running, so from its next start" };
    format!("{before} {} {after}{when}.", done.who)
}

fn place(line: &ConfigLine) -> String {
    line.to_string()
}

fn spelt(who: &Who) -> String {
    match who {
        Who::Network(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
        Who::Network(net) => net.to_string(),
        Who::Name(name) => name.as_str().to_owned(),
        Who::Below(name) => format!(".{}", name.as_str()),
    }
}

fn without(text: &str, lines: &[u32]) -> String {
    let kept = (1..).zip(text.lines()).filter(|(number, _)| !lines.contains(number));
    kept.flat_map(|(_, line)| [line, "\n"]).collect()
}

/// Writes the file anew, for whoever has the folder: the server reads it there.
fn write(path: &Path, change: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
    let mut before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow!("{}: {error}", path.display())),
    };
    if !before.is_empty() && !before.ends_with('\n') {
        before.push('\n');
    }
    let owner = path.parent().and_then(|folder| fs::metadata(folder).ok());
    let owner = owner.map(|folder| Owner { uid: folder.uid(), gid: folder.gid() });
    let text = change(&before);
    Ok(NewFile { path, octets: text.as_bytes(), mode: MODE, owner }.replace()?)
}

/// Has the running server read it; false: none is running.
async fn reloaded(global: &Global) -> Result<bool, Fault> {
    let Ok(mut client) = client::server(global).await else { return Ok(false) };
    client.tell(Method::POST, "/v1/reload", None::<&()>).await?;
    Ok(true)
}

/// A default rule as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    does: String,
    mode: Mode,
    why: &'static str,
    why_ja: &'static str,
}

/// `sekisho config defaults`.
pub(super) fn defaults(form: Form) -> Result<(), Fault> {
    let rows: Vec<Row> = TABLE
        .iter()
        .map(|row| {
            let does = does(&row.rule(&Thresholds::default()).effect);
            Row { name: row.name, does, mode: row.mode, why: row.why, why_ja: row.why_ja }
        })
        .collect();
    show(form, &rows, |rows| {
        let told = rows.iter().map(|row| {
            let mode = if row.mode == Mode::Observe { " (observe)" } else { "" };
            format!("{}: {}{mode}\n  {}\n  {}", row.name, row.does, row.why, row.why_ja)
        });
        told.collect::<Vec<_>>().join("\n")
    })
}

fn does(effect: &Effect) -> String {
    match effect {
        Effect::Weigh(weight) => format!("{weight:+}"),
        Effect::WeighAsListed => "the weight of each list".to_owned(),
        Effect::Act(Action::Slow(secs)) => format!("slow {secs} s"),
        Effect::Act(action) => action.code().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_and_comments_stay() {
        assert_eq!(without("# a\n192.0.2.7\n\n192.0.2.8 # b\n", &[2]), "# a\n\n192.0.2.8 # b\n");
        let spelt = |text: &str| spelt(&config::section::guard::who(text).unwrap());
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/48", "mail.example.net", ".example.net"] {
            assert_eq!(spelt(text), text);
        }
        assert!(config::section::guard::who("0.0.0.0/0").is_err());
    }
}
