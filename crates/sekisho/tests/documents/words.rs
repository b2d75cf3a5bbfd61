//! How the documents and `--help` speak: plain words in plain order, one word for one thing.

use std::fs;

use crate::{documents, read, root, sources};

/// Phrases that readers stumbled over. In lower case.
const ENGLISH: &[&str] = &[
    "gives it out over",
    "middling",
    "same judge",
    "qmail's kind",
    "whatever way it is asked",
    "line is named",
    "in the place of",
    "takes the whole file",
    "does not say otherwise",
    "is to be set up",
    "is to be seen",
    "is to be had",
    "to be had",
    "are to be named",
    "speaks against it",
    "nothing younger",
    "stands behind",
    "per fate",
    "not so, or no such thing",
    "whence",
    "for good",
    "without a word",
    "never abused",
    "rule the server",
    "rules the server",
    "keeps to",
    "whose mailboxes lie",
    "an answer that is none",
];

/// Words for which the documents have another. `差出人` is kept for the header field.
const JAPANESE: &[&str] = &[
    "待ち受け",
    "権利",
    "許し",
    "証拠",
    "根拠",
    "デバイス",
    "機器の秘密",
    "別名",
    "状態エンジン",
    "計数",
    "この機械",
    "断り",
    "断る",
    "断った",
    "利用者",
];

/// The beginning of a word that needs its long vowel.
const SHORT: &[&str] = &["サーバ", "フォルダ", "プロキシ", "リスナ", "ユーザ", "パラメータ", "プリンタ", "ブラウザ"];

fn pages() -> Vec<String> {
    let mut pages = documents();
    pages.extend(["ARCHITECTURE.md", "CHANGELOG.md"].map(str::to_owned));
    pages
}

/// The words of a text in lower case with single blanks, so that a line's end hides nothing.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[test]
fn documents_speak_plain_english() {
    for page in pages() {
        let text = flat(&read(&page));
        for phrase in ENGLISH {
            let whole = |(at, _): (usize, &str)| {
                let part = |c: char| c.is_alphanumeric();
                !text[..at].ends_with(part) && !text[at + phrase.len()..].starts_with(part)
            };
            assert!(!text.match_indices(phrase).any(whole), "{page} says \"{phrase}\"");
        }
    }
}

/// Doc comments of arguments are what `--help` prints.
#[test]
fn help_speaks_plain_english() {
    let mut files = Vec::new();
    sources(&root().join("crates/sekisho/src/command/args"), &mut files);
    files.push(root().join("crates/sekisho/src/command/args.rs"));
    assert!(files.len() > 5, "they were found: {files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let told: Vec<&str> = text.lines().filter_map(|line| line.trim_start().strip_prefix("/// ")).collect();
        let text = flat(&told.join(" "));
        for phrase in ENGLISH {
            assert!(!text.contains(phrase), "{} says \"{phrase}\"", file.display());
        }
    }
}

#[test]
fn documents_have_one_japanese_word_for_one_thing() {
    for page in pages() {
        let text = read(&page);
        for (number, line) in text.lines().enumerate() {
            for word in JAPANESE {
                assert!(!line.contains(word), "{page}:{}: {word}", number + 1);
            }
            for word in SHORT {
                let short = line.match_indices(word).any(|(at, _)| !line[at + word.len()..].starts_with('ー'));
                assert!(!short, "{page}:{}: {word} without its long vowel", number + 1);
            }
            let alone = line.match_indices("リレー").any(|(at, _)| !line[..at].ends_with("オープン"));
            assert!(!alone, "{page}:{}: リレー is オープンリレー or 中継", number + 1);
            let of_header = line.contains("From:");
            assert!(of_header || !line.contains("差出人"), "{page}:{}: 差出人", number + 1);
        }
    }
}
