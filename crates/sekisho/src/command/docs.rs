//! `sekisho docs`: man pages and completions, from the same definition as `--help`.

use super::{
    args::{Docs, Sekisho},
    examples,
    fault::Fault,
    table,
};
use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use config::reference;
use std::path::Path;

/// What every command reads or writes.
const FILES: [(&str, &str); 4] = [
    (config::DEFAULT_FILE, "The configuration; another one is named by --config."),
    ("/var/lib/sekisho", "The data of the server (data_dir)."),
    ("/var/lib/sekisho/admin.sock", "By it commands talk to the running server (admin.socket)."),
    ("/run/sekisho/account.sock", "By it users talk to the running server about their own account (account.socket)."),
];
const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done."),
    ("1", "It is not so, there is no such thing, or a danger was found."),
    ("2", "Wrong use, or a mistake in the configuration."),
    ("75", "It may work later: the server does not answer, or a disk is full."),
    ("111", "The same for ucspi and checkpassword."),
];

pub(super) fn run(command: &Docs) -> Result<(), Fault> {
    match command {
        Docs::Man { dir } => Ok(man(dir)?),
        Docs::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(*shell, &mut Sekisho::command(), "sekisho", &mut out);
            table::line(&String::from_utf8_lossy(&out))
        }
    }
}

fn man(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    for (name, text) in pages()? {
        write(&name, &text)?;
    }
    write("sekisho.toml.5", &toml_5())
}

/// The page of each command, by its file's name.
pub(super) fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let mut command = Sekisho::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, "", &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &clap::Command, path: &str, pages: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        add_pages(below, format!("{path} {}", below.get_name()).trim(), pages)?;
    }
    let page = Man::new(command.clone());
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    let text = String::from_utf8(out)? + &end(path).to_roff();
    pages.push((page.get_filename(), text));
    Ok(())
}

/// What clap knows nothing of.
fn end(path: &str) -> Roff {
    let mut roff = Roff::new();
    let examples: Vec<examples::Example> = examples::of(path).collect();
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for (what, line) in examples {
        roff.control("TP", []).text([roman(format!("{what}:"))]).text([bold(line)]);
    }
    for (title, rows) in [("FILES", &FILES[..]), ("EXIT STATUS", &EXIT_STATUS[..])] {
        roff.control("SH", [title]);
        for (name, about) in rows {
            roff.control("TP", []).text([bold(*name)]).text([roman(*about)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]).text([bold("sekisho"), roman("(1), "), bold("sekisho.toml"), roman("(5)")]);
    roff
}

/// `sekisho.toml(5)`.
pub(super) fn toml_5() -> String {
    let mut roff = Roff::new();
    roff.control("TH", ["sekisho.toml", "5", "", concat!("sekisho ", env!("CARGO_PKG_VERSION"))]);
    roff.control("SH", ["NAME"]).text([roman("sekisho.toml - configuration of the Sekisho mail border server")]);
    for section in reference::sections() {
        let header = section.header();
        roff.control("SH", [if header.is_empty() { "DESCRIPTION" } else { header.as_str() }]);
        paragraph(&mut roff, &section.about);
        for key in &section.keys {
            roff.control("TP", []).text([bold(key.path.as_str()), roman(format!(" ({})", key.kind))]);
            paragraph(&mut roff, &key.about);
        }
    }
    roff.control("SH", ["FILES"]);
    roff.control("TP", []).text([bold(config::DEFAULT_FILE)]).text([roman("Where it is looked for.")]);
    roff.control("SH", ["SEE ALSO"]).text([bold("sekisho"), roman("(1)")]);
    roff.to_roff()
}

fn paragraph(roff: &mut Roff, text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        roff.text([roman(line.replace('`', ""))]);
    }
}
