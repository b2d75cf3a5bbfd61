//! `sendmail.mc`: m4 as far as such files use it. Names with arguments, quotes, `dnl`, and definitions used in arguments.

use super::Said;
use crate::import::Spot;
use std::collections::BTreeMap;

/// How often definitions are looked for in one argument.
const EXPANSIONS_MAX: usize = 20;
/// How long an argument may become by them, in octets.
const ARGUMENT_OCTETS_MAX: usize = 1 << 16;
/// Parts that are taken into the `.cf` as they stand.
const RAW: [&str; 5] = ["LOCAL_CONFIG", "LOCAL_RULESETS", "LOCAL_NET_CONFIG", "LOCAL_RULE_0", "MAILER_DEFINITIONS"];

/// What a text says. `file` is for the places.
pub fn parse(file: &str, text: &str) -> Vec<Said> {
    let mut reader = Reader { file, rest: text, line: 1, said: Vec::new(), defined: BTreeMap::new(), raw: false };
    reader.all();
    reader.said
}

struct Reader<'t> {
    file: &'t str,
    rest: &'t str,
    line: u32,
    said: Vec<Said>,
    defined: BTreeMap<String, String>,
    /// Below one of [`RAW`].
    raw: bool,
}

impl<'t> Reader<'t> {
    fn all(&mut self) {
        while let Some(sign) = self.rest.chars().next() {
            let begins_line = self.begins_line();
            if sign == '#' {
                self.skip_line();
            } else if sign.is_ascii_alphabetic() || sign == '_' {
                self.word(begins_line);
            } else if sign == '`' {
                self.quoted();
            } else {
                self.advance(sign.len_utf8());
            }
        }
    }

    fn begins_line(&self) -> bool {
        self.raw && self.said.last().is_none_or(|last| last.at.line < self.line || last.name != "line")
    }

    fn advance(&mut self, octets: usize) -> &'t str {
        let (gone, rest) = self.rest.split_at(octets);
        self.line = self.line.saturating_add(u32::try_from(gone.matches('\n').count()).unwrap_or(0));
        self.rest = rest;
        gone
    }

    fn skip_line(&mut self) -> &'t str {
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        self.advance(end)
    }

    /// A quoted text that belongs to nothing.
    fn quoted(&mut self) {
        let end = quote_end(self.rest);
        self.advance(end);
    }

    fn word(&mut self, begins_line: bool) {
        let line = self.line;
        let is_of_word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let end = self.rest.find(|sign| !is_of_word(sign)).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        if word == "dnl" {
            self.skip_line();
            return;
        }
        let is_call = self.rest[end..].starts_with('(')
            && (!self.raw
                || word.chars().all(|it| it == '_' || it.is_ascii_uppercase())
                || matches!(word, "include" | "define" | "ifdef"));
        if is_call {
            self.advance(end);
            let args = self.arguments();
            self.call(line, word, &args);
        } else if RAW.contains(&word) {
            self.skip_line();
            self.raw = true;
            self.say(line, word, Vec::new());
        } else if self.raw && begins_line {
            let whole = self.skip_line().trim_end().to_owned();
            let whole = self.expanded(&whole);
            self.say(line, "line", vec![whole]);
        } else {
            self.advance(end);
        }
    }

    fn say(&mut self, line: u32, name: &str, args: Vec<String>) {
        self.said.push(Said { at: Spot::new(self.file, line), name: name.to_owned(), args });
    }

    fn call(&mut self, line: u32, name: &str, args: &[String]) {
        match (name, args) {
            ("define", [key, value]) => {
                self.defined.insert(unquoted(key), unquoted(value));
            }
            // What is defined unless it is there: ifdef(`X', `', `define(`X', `…')').
            ("ifdef", [key, there, otherwise @ ..]) => {
                let text = if self.defined.contains_key(&unquoted(key)) { Some(there) } else { otherwise.first() };
                if let Some(text) = text.filter(|text| text.contains('(')) {
                    let mut inner = Reader {
                        file: self.file,
                        rest: text,
                        line,
                        said: Vec::new(),
                        defined: self.defined.clone(),
                        raw: false,
                    };
                    inner.all();
                    let (said, defined) = (inner.said, inner.defined);
                    self.defined = defined;
                    self.said.extend(said.into_iter().map(|it| Said { at: Spot::new(self.file, line), ..it }));
                }
                return;
            }
            ("MAILER" | "FEATURE" | "OSTYPE" | "DOMAIN", _) => self.raw = false,
            _ => {}
        }
        self.say(line, name, args.iter().map(|arg| unquoted(arg)).collect());
    }

    /// The arguments in parentheses, at the beginning of what is left.
    fn arguments(&mut self) -> Vec<String> {
        let (mut args, mut arg, mut depth) = (Vec::new(), String::new(), 0_usize);
        while let Some(sign) = self.rest.chars().next() {
            match sign {
                '`' => {
                    let quoted = self.advance(quote_end(self.rest));
                    arg.push_str(quoted.strip_prefix('`').and_then(|it| it.strip_suffix('\'')).unwrap_or(quoted));
                    continue;
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                ',' if depth == 1 => {
                    args.push(std::mem::take(&mut arg));
                    self.advance(1);
                    continue;
                }
                _ => {}
            }
            let blank_before = sign.is_whitespace() && arg.is_empty();
            let own = (sign == '(' && depth == 1) || (sign == ')' && depth == 0);
            if !blank_before && !own {
                arg.push(sign);
            }
            self.advance(sign.len_utf8());
            if depth == 0 {
                break;
            }
        }
        args.push(arg);
        args.iter().map(|arg| self.expanded(arg)).collect()
    }

    /// Definitions put into their places.
    fn expanded(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..EXPANSIONS_MAX {
            let found =
                words_of(&text).find(|(_, word)| self.defined.get(*word).is_some_and(|value| !value.contains(*word)));
            let Some((at, word)) = found else { break };
            let (end, value) = (at + word.len(), self.defined.get(word).cloned().unwrap_or_default());
            if text.len() + value.len() > ARGUMENT_OCTETS_MAX {
                break;
            }
            text.replace_range(at..end, &value);
        }
        text
    }
}

/// Names in a text and where they begin.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_of_word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    text.split(move |sign| !is_of_word(sign))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// A text without the quotes that are left in it: each time that m4 reads it again it takes one pair off, so that a comma
/// within them divides nothing (``Port=587, Name=MSA''). A quote without its other half stays.
fn unquoted(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, quoted)) = rest.find('`').map(|at| rest.split_at(at)) {
        out.push_str(before);
        let end = quote_end(quoted);
        match quoted[1..end].strip_suffix('\'') {
            Some(inside) if inside.contains('`') => out.push_str(&unquoted(inside)),
            Some(inside) => out.push_str(inside),
            None => return out + quoted,
        }
        rest = &quoted[end..];
    }
    out + rest
}

/// Where a quoted text ends that begins here; quotes nest.
fn quote_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, sign) in text.char_indices() {
        match sign {
            '`' => depth += 1,
            '\'' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}
