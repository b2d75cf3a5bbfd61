//! A condition as a rule writes it: a word, and what it is asked with.

use crate::nearest::nearest;
use crate::value::{self, Unreadable, unreadable};
use guard::suspicion::{Condition, WEIGHT_MAX};
use guard::{Country, SpfResult};
use std::sync::Arc;

/// Every word, with how it is written.
const WORDS: [(&str, &str); 17] = [
    ("always", "always"),
    ("listed", "listed, or listed ZONE …"),
    ("no-name", "no-name"),
    ("name-unconfirmed", "name-unconfirmed"),
    ("dynamic-name", "dynamic-name"),
    ("helo-invalid", "helo-invalid"),
    ("helo-ours", "helo-ours"),
    ("helo-mismatch", "helo-mismatch"),
    ("pipelining", "pipelining"),
    ("plain-text", "plain-text"),
    ("spf", "spf RESULT …, as in \"spf fail softfail\""),
    ("null-sender", "null-sender"),
    ("sender-domain-dead", "sender-domain-dead"),
    ("country", "country CODE …, as in \"country DE FR\""),
    ("asn", "asn NUMBER …, as in \"asn 64500\""),
    ("load", "load PERCENT"),
    ("score", "score POINTS"),
];

/// Reads one; `None`: `always`, which every stranger fulfils.
pub(super) fn read(text: &str) -> Result<Option<Condition>, Unreadable> {
    let mut words = text.split_ascii_whitespace();
    let word = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    let Some((_, form)) = WORDS.iter().find(|(known, _)| *known == word) else { return Err(unknown(word)) };
    if let Some(condition) = with_arguments(word, &arguments)? {
        return Ok(Some(condition));
    }
    if !arguments.is_empty() {
        return unreadable(format!("`{word}` takes nothing behind it"), form);
    }
    Ok(alone(word))
}

fn alone(word: &str) -> Option<Condition> {
    Some(match word {
        "no-name" => Condition::NoName,
        "name-unconfirmed" => Condition::NameUnconfirmed,
        "dynamic-name" => Condition::DynamicName,
        "helo-invalid" => Condition::HeloInvalid,
        "helo-ours" => Condition::HeloOurs,
        "helo-mismatch" => Condition::HeloMismatch,
        "pipelining" => Condition::Pipelined,
        "plain-text" => Condition::PlainText,
        "null-sender" => Condition::NullSender,
        "sender-domain-dead" => Condition::SenderDomainDead,
        _ => return None,
    })
}

fn with_arguments(word: &str, arguments: &[&str]) -> Result<Option<Condition>, Unreadable> {
    Ok(Some(match word {
        "listed" => Condition::Listed(arguments.iter().map(zone_name).collect::<Result<_, _>>()?),
        "spf" => Condition::Spf(results(arguments)?),
        "country" => Condition::Country(each(word, arguments, country)?),
        "asn" => Condition::Asn(each(word, arguments, system)?),
        "load" => Condition::Load(u8::try_from(number(word, arguments, 100)?).unwrap_or(100)),
        "score" => Condition::Score(number(word, arguments, WEIGHT_MAX)?),
        _ => return Ok(None),
    }))
}

fn zone_name(text: &&str) -> Result<Arc<str>, Unreadable> {
    value::domain(text).map(|zone| Arc::from(zone.as_str()))
}

fn results(arguments: &[&str]) -> Result<Vec<SpfResult>, Unreadable> {
    let read = |text: &&str| match SpfResult::ALL.into_iter().find(|result| result.code() == *text) {
        Some(result) => Ok(result),
        None => unreadable(
            format!("\"{text}\" is no result of SPF"),
            "none, neutral, pass, fail, softfail, temperror or permerror",
        ),
    };
    if arguments.is_empty() {
        return unreadable("`spf` names no result".to_owned(), "as in \"spf fail softfail\"");
    }
    arguments.iter().map(read).collect()
}

/// At least one.
fn each<T>(word: &str, arguments: &[&str], read: impl Fn(&str) -> Result<T, Unreadable>) -> Result<Vec<T>, Unreadable> {
    if arguments.is_empty() {
        let form = WORDS.iter().find(|(known, _)| *known == word).map_or("", |(_, form)| *form);
        return unreadable(format!("`{word}` names none"), form);
    }
    arguments.iter().map(|text| read(text)).collect()
}

fn country(text: &str) -> Result<Country, Unreadable> {
    match (text, Country::parse(text)) {
        // What files have is the code of the standard.
        ("UK", _) => unreadable("\"UK\" is no code of ISO 3166-1".to_owned(), "\"GB\""),
        (_, Some(country)) => Ok(country),
        (_, None) => unreadable(
            format!("\"{text}\" is no code of a country"),
            "two capital letters (ISO 3166-1), as in \"country DE FR\"",
        ),
    }
}

fn system(text: &str) -> Result<u32, Unreadable> {
    match text.parse() {
        Ok(number) if number > 0 && !text.starts_with('+') => Ok(number),
        _ => unreadable(
            format!("\"{text}\" is no number of an autonomous system"),
            "1 to 4294967295, as in \"asn 64500\"",
        ),
    }
}

fn number(word: &str, arguments: &[&str], most: i32) -> Result<i32, Unreadable> {
    let read = match arguments {
        [text] => text.parse().ok().filter(|number| (1..=most).contains(number)),
        _ => None,
    };
    match read {
        Some(number) => Ok(number),
        None => Err(Unreadable {
            message: format!("`{word}` is followed by one number from 1 to {most}"),
            hint: format!("as in \"{word} 10\"").into(),
        }),
    }
}

fn unknown(word: &str) -> Unreadable {
    let words = || WORDS.iter().map(|(word, _)| *word);
    let hint = match nearest(word, words()) {
        Some(near) => format!("\"{near}\"?"),
        None => words().collect::<Vec<_>>().join(", "),
    };
    Unreadable { message: format!("\"{word}\" is no condition"), hint: hint.into() }
}

/// Why a rule with these conditions never holds.
pub(super) fn contradiction(when: &[Condition], not: &[Condition]) -> Option<String> {
    if let Some(both) = when.iter().find(|it| not.contains(it)) {
        return Some(format!("`{}` stands in `when` and in `not`", both.code()));
    }
    let has = |condition: &Condition| when.contains(condition);
    let exclusive = [
        (Condition::NoName, Condition::NameUnconfirmed),
        (Condition::NoName, Condition::DynamicName),
        (Condition::NullSender, Condition::SenderDomainDead),
    ];
    let found = exclusive.iter().find(|(one, other)| has(one) && has(other));
    found.map(|(one, other)| format!("`{}` and `{}` are never both true", one.code(), other.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_as_they_are_written() {
        let read = |text| read(text).map_err(|why| why.message);
        assert_eq!(read("always"), Ok(None));
        assert_eq!(read("no-name"), Ok(Some(Condition::NoName)));
        assert_eq!(read("listed"), Ok(Some(Condition::Listed(Vec::new()))));
        assert_eq!(read("listed Zen.example"), Ok(Some(Condition::Listed(vec!["zen.example".into()]))));
        assert_eq!(read("spf fail"), Ok(Some(Condition::Spf(vec![SpfResult::Fail]))));
        assert_eq!(read("score 7"), Ok(Some(Condition::Score(7))));
        let countries = ["XA", "XB"].into_iter().filter_map(Country::parse).collect();
        assert_eq!(read("country XA XB"), Ok(Some(Condition::Country(countries))));
        assert_eq!(read("asn 64500 4294967295"), Ok(Some(Condition::Asn(vec![64_500, u32::MAX]))));
        assert_eq!(read("load 85"), Ok(Some(Condition::Load(85))));
        for wrong in ["", "noname", "no-name x", "spf", "spf bad", "score", "score 0", "score 2000", "load 101"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in
            ["country", "country de", "country DEU", "country UK", "asn", "asn 0", "asn AS64500", "asn 4294967296"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for (word, _) in WORDS {
            let written = match word {
                "spf" => "spf pass".to_owned(),
                "country" => "country XA".to_owned(),
                "asn" | "load" | "score" => format!("{word} 1"),
                word => word.to_owned(),
            };
            let condition = super::read(&written).unwrap_or_else(|why| panic!("{}", why.message));
            assert_eq!(condition.map_or("always", |it| it.code()), word);
        }
    }
}
