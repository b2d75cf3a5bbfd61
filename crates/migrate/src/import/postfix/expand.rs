//! Names in values of `main.cf`: `$name`, `${name}`, `$(name)`, `${name?then}`, `${name:else}`, `${name?{then}:{else}}`,
//! `${{a} == {b} ? {then} : {else}}` (postconf(5)).

use std::cmp::Ordering;

/// How deep names may lie in each other; deeper is a circle.
const DEPTH_MAX: u32 = 50;
/// How many names one value may have in all: a few lines can name each other a billion times.
const NAMES_MAX: u32 = 10_000;
/// How long a value may become, in octets.
const VALUE_OCTETS_MAX: usize = 1 << 20;

/// A value with its names replaced by what `text_of` says of each. What is too deep or too long is left out.
pub(super) fn value(text_of: &dyn Fn(&str) -> String, name: &str) -> String {
    let mut expansion = Expansion { text_of, names: 0, out: String::new() };
    expansion.name(name, 0);
    expansion.out
}

struct Expansion<'a> {
    text_of: &'a dyn Fn(&str) -> String,
    names: u32,
    out: String,
}

impl Expansion<'_> {
    fn name(&mut self, name: &str, depth: u32) {
        self.names += 1;
        if depth > DEPTH_MAX || self.names > NAMES_MAX {
            return;
        }
        let text = (self.text_of)(name);
        self.text(&text, depth);
    }

    /// What a name or text becomes, apart from what there is already.
    fn apart(&mut self, with: impl FnOnce(&mut Self)) -> String {
        let before = std::mem::take(&mut self.out);
        with(self);
        std::mem::replace(&mut self.out, before)
    }

    fn text(&mut self, text: &str, depth: u32) {
        let mut rest = text;
        while let Some((plain, behind)) = rest.split_once('$') {
            self.push(plain);
            rest = self.one(behind, depth);
        }
        self.push(rest);
    }

    fn push(&mut self, text: &str) {
        if self.out.len() + text.len() <= VALUE_OCTETS_MAX {
            self.out.push_str(text);
        }
    }

    /// What is behind a dollar sign; the rest behind that.
    fn one<'t>(&mut self, behind: &'t str, depth: u32) -> &'t str {
        if let Some(rest) = behind.strip_prefix('$') {
            self.push("$");
            return rest;
        }
        if let Some((body, rest)) = enclosed(behind) {
            self.body(body, depth + 1);
            return rest;
        }
        let end = behind.find(|sign| !is_of_name(sign)).unwrap_or(behind.len());
        let (name, rest) = behind.split_at(end);
        self.name(name, depth + 1);
        rest
    }

    /// What stands between the braces.
    fn body(&mut self, body: &str, depth: u32) {
        if depth > DEPTH_MAX {
            return;
        }
        if body.trim_start().starts_with('{') {
            return self.comparison(body, depth);
        }
        let body = body.trim();
        let end = body.find(|sign| !is_of_name(sign)).unwrap_or(body.len());
        let (name, test) = body.split_at(end);
        let test = test.trim_start();
        let is_there = |this: &mut Self| !this.apart(|this| this.name(name, depth + 1)).is_empty();
        match test.chars().next() {
            Some('?') => {
                let there = is_there(self);
                self.choice(there, &test[1..], depth);
            }
            Some(':') if !is_there(self) => {
                let otherwise = braced(&test[1..]).map_or(&test[1..], |(text, _)| text);
                self.text(otherwise, depth + 1);
            }
            Some(':') => {}
            _ => self.name(name, depth + 1),
        }
    }

    /// `then`, `{then}` or `{then}:{else}`.
    fn choice(&mut self, holds: bool, text: &str, depth: u32) {
        let (then, rest) = braced(text).unwrap_or((text, ""));
        let otherwise = rest.trim_start().strip_prefix(':').and_then(braced).map_or("", |(text, _)| text);
        self.text(if holds { then } else { otherwise }, depth + 1);
    }

    /// `{a} == {b} ? {then} : {else}`.
    fn comparison(&mut self, body: &str, depth: u32) {
        let Some((left, rest)) = braced(body) else { return };
        let rest = rest.trim_start();
        let end = rest.find(|sign: char| sign == '{' || sign.is_whitespace()).unwrap_or(rest.len());
        let (operator, rest) = rest.split_at(end);
        let Some((right, rest)) = braced(rest) else { return };
        let left = self.apart(|this| this.text(left, depth + 1));
        let right = self.apart(|this| this.text(right, depth + 1));
        let Some(choice) = rest.trim_start().strip_prefix('?') else { return };
        self.choice(holds(&left, operator, &right), choice, depth);
    }
}

fn is_of_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

fn holds(left: &str, operator: &str, right: &str) -> bool {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let order = match (number(left), number(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => level(left).zip(level(right)).map_or_else(|| left.cmp(right), |(left, right)| left.cmp(&right)),
    };
    match operator.trim_end_matches("level") {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        _ => false,
    }
}

/// A version: numbers with dots between.
fn level(text: &str) -> Option<Vec<u64>> {
    text.trim().split('.').map(|part| part.parse().ok()).collect()
}

/// `{…}` or `(…)` at the beginning, and what is behind.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let close = match text.as_bytes().first()? {
        b'{' => '}',
        b'(' => ')',
        _ => return None,
    };
    let open = text.chars().next()?;
    let mut depth = 0_usize;
    for (at, sign) in text.char_indices() {
        if sign == open {
            depth += 1;
        } else if sign == close {
            depth -= 1;
            if depth == 0 {
                return Some((&text[1..at], &text[at + 1..]));
            }
        }
    }
    None
}

/// `{…}` behind blanks, its inside without the blanks around it.
fn braced(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    enclosed(text).map(|(inside, rest)| (inside.trim(), rest))
}
