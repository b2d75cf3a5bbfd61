//! A newcomer's questions in ARCHITECTURE.md: each answer links to files and names what stands in them.

use std::fs;

use crate::sources::root;

/// So many questions are answered at least.
const QUESTIONS_MIN: usize = 12;

/// One row of the table.
#[derive(Debug, PartialEq)]
struct Answer<'a> {
    question: &'a str,
    links: Vec<Link<'a>>,
    /// Names outside of links; each stands in one of the linked files, and what has a slash is a path below `crates`.
    names: Vec<&'a str>,
}

#[derive(Debug, PartialEq)]
struct Link<'a> {
    /// Stands in the file.
    name: &'a str,
    /// From the root.
    file: &'a str,
}

#[test]
fn a_newcomer_finds_what_the_table_names() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let answers = table(&page);
    assert!(answers.len() >= QUESTIONS_MIN, "{} questions", answers.len());
    let wrong: Vec<String> = answers.iter().flat_map(missing).collect();
    assert!(wrong.is_empty(), "ARCHITECTURE.md, \"Where is …?\":\n{}", wrong.join("\n"));
}

/// The rows below the heading.
fn table(page: &str) -> Vec<Answer<'_>> {
    let (_, below) = page.split_once("\n## Where is …?\n").expect("the heading is there");
    let section = below.split("\n## ").next().unwrap_or(below);
    section.lines().filter_map(|line| line.strip_prefix("| Where ")).map(answer).collect()
}

fn answer(row: &str) -> Answer<'_> {
    let (question, told) = row.split_once(" | ").unwrap_or((row, ""));
    let (mut links, mut names) = (Vec::new(), Vec::new());
    // Every second piece between backquotes is code; that of a link is followed by the rest of the link.
    let mut pieces = told.split('`').skip(1);
    while let Some(name) = pieces.next() {
        let behind = pieces.next().unwrap_or_default();
        match behind.strip_prefix("](").and_then(|rest| rest.split_once(')')) {
            Some((file, _)) => links.push(Link { name, file }),
            None => names.push(name),
        }
    }
    Answer { question, links, names }
}

/// What of an answer is not there.
fn missing(answer: &Answer<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut texts = Vec::new();
    for link in &answer.links {
        match fs::read_to_string(root().join(link.file)) {
            Ok(text) if has(&text, link.name) => texts.push(text),
            Ok(_) => wrong.push(format!("Where {}: {} has no {}", answer.question, link.file, link.name)),
            Err(error) => wrong.push(format!("Where {}: {}: {error}", answer.question, link.file)),
        }
    }
    if answer.links.is_empty() {
        wrong.push(format!("Where {}: no link to a file", answer.question));
    }
    for name in &answer.names {
        let there = if name.contains('/') {
            root().join("crates").join(name).exists()
        } else {
            texts.iter().any(|text| has(text, name))
        };
        if !there {
            wrong.push(format!("Where {}: no {name}", answer.question));
        }
    }
    wrong
}

/// Whether a text has the name as a whole one.
fn has(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(is_part) && !behind.starts_with(is_part)
    })
}

#[test]
fn a_row_is_read_whole() {
    let row = "is it? | `kept` of [`Kept`](crates/keep/src/map.rs), below `keep/src` |";
    let read = answer(row);
    assert_eq!(read.question, "is it?");
    assert_eq!(read.links, [Link { name: "Kept", file: "crates/keep/src/map.rs" }]);
    assert_eq!(read.names, ["kept", "keep/src"]);
    assert_eq!(missing(&read).len(), 2, "neither is there: {:?}", missing(&read));
}

#[test]
fn a_name_is_a_whole_one() {
    assert!(has("fn wait_to_greet(", "wait_to_greet") && has("RateKey::Device(", "RateKey::Device"));
    assert!(!has("fn wait_to_greets(", "wait_to_greet") && !has("await_to_greet", "wait_to_greet"));
}
