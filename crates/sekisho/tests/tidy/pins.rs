//! What only certain files may do, what none may do, and how long a file and a crate may be.

use std::collections::BTreeSet;

use crate::sources::{Source, Word, sources_of, written};
use crate::{CRATE_LINES_MAX, FILE_LINES_MAX, MAY_USE, VOUCHERS, all_lines_of};

/// Code that ends the process or the task where an error should be told.
const PANICS: &[&[&str]] = &[&[".", "unwrap", "(", ")"], &["todo", "!"], &["unimplemented", "!"], &["dbg", "!"]];

fn product_sources() -> Vec<Source> {
    let found: Vec<Source> = MAY_USE.iter().flat_map(|(name, _)| sources_of(name)).collect();
    assert!(found.len() > 50, "the sources were found");
    found
}

fn starts_with(words: &[Word], signs: &[&str]) -> bool {
    words.len() >= signs.len() && words.iter().zip(signs).all(|(word, sign)| word.text == *sign)
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for source in product_sources() {
        if source.lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {} lines without its tests", source.place, source.lines));
        }
        if !source.text.starts_with("//!") {
            wrong.push(format!("{}: opens without saying what it answers for", source.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_small() {
    for (name, _) in MAY_USE {
        let lines = all_lines_of(name);
        assert!(lines <= CRATE_LINES_MAX, "crate {name} has {lines} lines, at most {CRATE_LINES_MAX}");
    }
}

#[test]
fn nothing_panics_outside_tests() {
    let panics = |source: Source| {
        let found = panics_in(&source.words());
        found.into_iter().map(|line| format!("{}:{line}", source.place)).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = product_sources().into_iter().flat_map(panics).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn panics_in(words: &[Word]) -> Vec<usize> {
    let panics = |at: &usize| PANICS.iter().any(|signs| starts_with(&words[*at..], signs));
    (0..words.len()).filter(panics).map(|at| words[at].line).collect()
}

/// Grants are made by the authorities alone, and nobody else vouches for evidence.
#[test]
fn who_can_vouch_is_pinned() {
    let mut vouched = BTreeSet::new();
    for source in product_sources() {
        let (words, place) = (source.words(), &source.place);
        let grants = makes_of(&words, "RelayGrant");
        assert!(grants == 0 || place.starts_with("crates/guard/src/authority"), "a grant is made in {place}");
        for (at, word) in words.iter().enumerate().filter(|(_, word)| word.text.starts_with("attest_")) {
            if !place.starts_with("crates/guard/src") {
                vouched.insert((word.text.clone(), place.clone()));
            } else if at > 0 && words[at - 1].text == "fn" {
                let listed = VOUCHERS.iter().any(|(known, _)| *known == word.text);
                assert!(listed, "{} in {place} is not on the list", word.text);
            }
        }
    }
    let expected = VOUCHERS.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect();
    assert_eq!(vouched, expected);
}

/// How often a value of that struct is written out, or one of its own blocks says `Self { … }`.
fn makes_of(words: &[Word], name: &str) -> usize {
    let is_made = |at: &usize| {
        let path = words[..*at].iter().rev().take_while(|word| word.text == ":" || is_name(&word.text)).count();
        let path: Vec<&str> = words[*at - path..*at].iter().map(|word| word.text.as_str()).collect();
        let after_type = at.checked_sub(1 + path.len()).is_some_and(|before| words[before].text == ">");
        !after_type && !["struct", "impl", "for"].iter().any(|sign| path.contains(sign))
    };
    (0..words.len()).filter(|at| starts_with(&words[*at..], &[name, "{"])).filter(is_made).count()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[test]
fn grants_and_panics_are_found() {
    let cases = [
        ("fn f() -> RelayGrant { RelayGrant { right } }", 1, 0),
        ("fn f() -> guard::RelayGrant { g(guard::RelayGrant { right }) }", 1, 0),
        ("pub struct RelayGrant { right: u8 } impl RelayGrant {} impl Debug for RelayGrant {}", 0, 0),
        ("/// RelayGrant { right }, .unwrap()\nfn f() { a(\"RelayGrant { .unwrap() }\"); }", 0, 0),
        (
            "#[cfg(test)]\nmod tests {\n fn f() { a.unwrap(); RelayGrant { right } }\n}\nfn f() { a.unwrap(); todo!() }",
            0,
            2,
        ),
        (
            "#[cfg(test)]\nmod tests;\nfn f() { a\n  .unwrap();\n  a.unwrap_or(b); dbg! (c); RelayGrant { right } }",
            1,
            2,
        ),
    ];
    for (text, grants, panics) in cases {
        let words = written(&[("a.rs", text)])[0].words();
        assert_eq!(makes_of(&words, "RelayGrant"), grants, "{text}");
        assert_eq!(panics_in(&words).len(), panics, "{text}");
    }
}
