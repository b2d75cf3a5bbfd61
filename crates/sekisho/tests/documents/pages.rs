//! A page and its translation have the same headings, commands, configurations and tables; links lead to headings that are there.

use std::collections::BTreeSet;

use crate::{commands, documents, read};

/// Pages in one language, or in both at once.
const ONE_FOR_ALL: [&str; 6] = ["durability", "logs", "order-of-checks", "sekisho.toml", "standards", "threat-model"];
/// What a translation may add to a configuration.
const ADDED: &str = "language = \"ja\"";

/// The pages that have a translation, without their ends.
fn translated() -> Vec<String> {
    let all = documents();
    let english =
        all.iter().filter_map(|page| page.strip_suffix(".md")).filter(|page| page.strip_suffix(".ja").is_none());
    let needed = english.filter(|page| !ONE_FOR_ALL.iter().any(|one| *page == format!("docs/{one}")));
    needed.map(str::to_owned).collect()
}

/// Each page with its translation.
fn both() -> Vec<(String, String)> {
    translated().iter().map(|page| (format!("{page}.md"), format!("{page}.ja.md"))).collect()
}

#[test]
fn every_page_is_there_in_both_languages() {
    let all: BTreeSet<String> = documents().into_iter().collect();
    let both = both();
    assert!(both.len() > 25, "the pages were found: {both:?}");
    for (english, japanese) in &both {
        assert!(all.contains(japanese), "{english} has no translation");
        let link = |page: &str| page.rsplit('/').next().unwrap().to_owned();
        assert!(read(english).contains(&format!("({})", link(japanese))), "{english} has no link to {japanese}");
        assert!(read(japanese).contains(&format!("({})", link(english))), "{japanese} has no link to {english}");
    }
    let known: BTreeSet<&String> = both.iter().map(|(_, japanese)| japanese).collect();
    for page in all.iter().filter(|page| page.ends_with(".ja.md")) {
        assert!(known.contains(page), "{page} is a translation of nothing");
    }
}

#[test]
fn translations_have_the_same_commands() {
    for (english, japanese) in both() {
        assert_eq!(commands(&english), commands(&japanese), "{english}, {japanese}");
    }
}

/// The text outside of blocks, line by line, and the blocks: their language and their lines.
fn parts(page: &str) -> (Vec<String>, Vec<(String, Vec<String>)>) {
    let (mut outside, mut blocks) = (Vec::new(), Vec::new());
    let mut open: Option<(String, Vec<String>)> = None;
    for line in read(page).lines().map(str::trim) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some((language.to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => outside.push(line.to_owned()),
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    (outside, blocks)
}

fn levels(outside: &[String]) -> Vec<usize> {
    let heading = |line: &String| line.split_once(' ').map(|(signs, _)| signs.to_owned());
    let signs =
        outside.iter().filter_map(heading).filter(|signs| !signs.is_empty() && signs.bytes().all(|it| it == b'#'));
    signs.map(|signs| signs.len()).collect()
}

#[test]
fn translations_have_the_same_headings() {
    for (english, japanese) in both() {
        assert_eq!(levels(&parts(&english).0), levels(&parts(&japanese).0), "{english}, {japanese}");
    }
}

/// A block's language, and of a configuration its lines without comments.
fn told((language, lines): (String, Vec<String>)) -> (String, Vec<String>) {
    let bare = |line: &String| line.split(" #").next().unwrap_or_default().trim().to_owned();
    let counts = |line: &String| !line.is_empty() && !line.starts_with('#') && line != ADDED;
    let kept = if language == "toml" { lines.iter().map(bare).filter(counts).collect() } else { Vec::new() };
    (language, kept)
}

#[test]
fn translations_have_the_same_blocks() {
    for (english, japanese) in both() {
        let blocks = |page: &str| parts(page).1.into_iter().map(told).collect::<Vec<_>>();
        assert_eq!(blocks(&english), blocks(&japanese), "{english}, {japanese}");
    }
}

/// Each row of the tables: how many cells it has, and the code in the first of them.
fn rows(page: &str) -> Vec<(usize, Vec<String>)> {
    let (outside, _) = parts(page);
    let rows = outside.iter().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let code = cells[0].split('`').skip(1).step_by(2).map(str::to_owned);
        (cells.len(), code.collect())
    })
    .collect()
}

#[test]
fn translations_have_the_same_tables() {
    for (english, japanese) in both() {
        let (of_english, of_japanese) = (rows(&english), rows(&japanese));
        for (number, (ours, theirs)) in of_english.iter().zip(&of_japanese).enumerate() {
            assert_eq!(ours, theirs, "{english}, {japanese}: row {number}");
        }
        assert_eq!(of_english.len(), of_japanese.len(), "rows of {english}, {japanese}");
    }
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let plain = heading.trim().to_lowercase().replace(' ', "-");
    plain.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn links_lead_to_headings_that_are_there() {
    for page in documents() {
        let (text, dir) = (read(&page), page.rsplit_once('/').map_or("", |(dir, _)| dir));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for (file, wanted) in links.filter(|link| !link.contains("://")).filter_map(|link| link.split_once('#')) {
            let target = match file.strip_prefix("../") {
                _ if file.is_empty() => page.clone(),
                Some(above) => above.to_owned(),
                None if dir.is_empty() => file.to_owned(),
                None => format!("{dir}/{file}"),
            };
            let (outside, _) = parts(&target);
            let headings = outside.iter().filter_map(|line| line.strip_prefix('#'));
            let found = headings.map(|line| anchor(line.trim_start_matches('#'))).any(|it| it == wanted);
            assert!(found, "{page}: {target} has no heading {wanted}");
        }
    }
}

#[test]
fn an_anchor_is_what_links_have() {
    for (heading, link) in [
        (" Test whether it relays", "test-whether-it-relays"),
        (" Ask by hand: `sekisho status`", "ask-by-hand-sekisho-status"),
        (" TLS 1.0 か 1.1 しか", "tls-10-か-11-しか"),
    ] {
        assert_eq!(anchor(heading), link);
    }
}
