//! `sekisho docs`: man pages and completions, from the same definition as `--help`.

use super::{
    args::{Docs, Sekisho},
    fault::Fault,
    table,
};
use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::roff::{Roff, bold, roman};
use config::reference;
use std::path::Path;

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
    clap_mangen::generate_to(Sekisho::command(), dir).with_context(|| dir.display().to_string())?;
    let path = dir.join("sekisho.toml.5");
    std::fs::write(&path, toml_5()).with_context(|| path.display().to_string())
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
    roff.to_roff()
}

fn paragraph(roff: &mut Roff, text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        roff.text([roman(line.replace('`', ""))]);
    }
}
