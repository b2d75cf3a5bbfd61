//! The question to a database. `%s`, `%u` and `%d` become parameters that are bound, whoever wrote what is looked up; where that
//! cannot be, the file is not taken.

use std::fmt::Write as _;

use crate::mistake::Wrong;

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `%s`: the whole key.
    Key,
    /// `%u`: what stands before the last at sign, or all of a key without one.
    User,
    /// `%d`: what stands behind it. A key without one is not asked about.
    Domain,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// One statement that reads, with a placeholder for each parameter.
    pub text: String,
    /// In the order of the placeholders.
    pub parameters: Vec<Parameter>,
    /// Where it begins in its file, from 1.
    pub line: u32,
}

/// How placeholders are written, and what else a text may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What is wrong with a question, and at which octet of it.
#[derive(Debug)]
pub(crate) struct Misplaced {
    pub(crate) at: usize,
    pub(crate) wrong: Wrong,
}

impl Query {
    /// The values for the placeholders; `None`: such a key is not asked about.
    pub fn bind<'k>(&self, key: &'k str) -> Option<Vec<&'k str>> {
        let (user, domain) = match key.rsplit_once('@') {
            Some((user, domain)) => (user, Some(domain).filter(|domain| !domain.is_empty())),
            None => (key, None),
        };
        let value = |parameter: &Parameter| match parameter {
            Parameter::Key => Some(key),
            Parameter::User => Some(user),
            Parameter::Domain => domain,
        };
        self.parameters.iter().map(|parameter| value(parameter).filter(|it| !it.is_empty())).collect()
    }

    /// Reads one as it is written in a file. [`Query::line`] is the caller's to say.
    pub(crate) fn parse(dialect: Dialect, text: &str) -> Result<Self, Misplaced> {
        let first = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if !["select", "with", "values"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return wrong(0, "this is no question: it begins with another word than SELECT", "a look-up only reads");
        }
        let lexer =
            Lexer { dialect, text, at: 0, query: Self { text: String::new(), parameters: Vec::new(), line: 0 } };
        lexer.read()
    }
}

fn wrong<T>(at: usize, what: &str, hint: &str) -> Result<T, Misplaced> {
    Err(Misplaced { at, wrong: Wrong::new(what, hint) })
}

/// A word of the template.
enum Percent {
    Is(Parameter),
    /// `%%`
    Sign,
}

struct Lexer<'t> {
    dialect: Dialect,
    text: &'t str,
    /// Octets read.
    at: usize,
    query: Query,
}

impl Lexer<'_> {
    fn read(mut self) -> Result<Query, Misplaced> {
        while let Some(next) = self.rest().chars().next() {
            match next {
                '\'' => self.literal()?,
                '"' => self.name('"')?,
                '`' if self.dialect == Dialect::Sqlite => self.name('`')?,
                '[' if self.dialect == Dialect::Sqlite => self.name(']')?,
                '%' => match self.percent()? {
                    Percent::Sign => self.query.text.push('%'),
                    Percent::Is(parameter) => self.alone(parameter)?,
                },
                ';' => return self.end(),
                other => self.other(other)?,
            }
        }
        Ok(self.query)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// What stands by itself.
    fn other(&mut self, next: char) -> Result<(), Misplaced> {
        if self.rest().starts_with("--") || self.rest().starts_with("/*") {
            return wrong(self.at, "a comment within the question", "put it into a line of its own that begins with #");
        }
        let is_placeholder = match self.dialect {
            Dialect::Sqlite => matches!(next, '?' | '$' | '@' | ':'),
            Dialect::Postgres => next == '$',
        };
        if is_placeholder {
            let hint = "write what is looked up as %s, %u or %d, and a text between single quotes";
            return wrong(self.at, "a placeholder of the database's own", hint);
        }
        self.query.text.push(next);
        self.at += next.len_utf8();
        Ok(())
    }

    /// A second statement is none that is asked.
    fn end(self) -> Result<Query, Misplaced> {
        if self.rest().chars().all(|c| c == ';' || c.is_whitespace()) {
            return Ok(self.query);
        }
        wrong(self.at, "a second statement", "ask one question")
    }

    /// `%` and the letter behind it.
    fn percent(&mut self) -> Result<Percent, Misplaced> {
        let found = match self.rest().as_bytes().get(1) {
            Some(b's') => Percent::Is(Parameter::Key),
            Some(b'u') => Percent::Is(Parameter::User),
            Some(b'd') => Percent::Is(Parameter::Domain),
            Some(b'%') => Percent::Sign,
            _ => {
                return wrong(
                    self.at,
                    "a percent sign that means nothing here",
                    "%s, %u, %d, or %% for the sign itself",
                );
            }
        };
        self.at += 2;
        Ok(found)
    }

    fn placeholder(&mut self, parameter: Parameter) {
        self.query.parameters.push(parameter);
        let sign = match self.dialect {
            Dialect::Sqlite => '?',
            Dialect::Postgres => '$',
        };
        let _ = write!(self.query.text, "{sign}{}", self.query.parameters.len());
    }

    /// A parameter without quotes is a value all the same; it is no part of a name.
    fn alone(&mut self, parameter: Parameter) -> Result<(), Misplaced> {
        let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '\'' | '`' | ']');
        let before = self.query.text.chars().next_back().is_some_and(joins);
        if before || self.rest().chars().next().is_some_and(joins) {
            let hint = "a table or a column is named as it is; only a value can be looked up";
            return wrong(self.at - 2, "what is looked up as a part of a name", hint);
        }
        self.placeholder(parameter);
        Ok(())
    }

    /// `'text'`; one that is a parameter and nothing else stands for it.
    fn literal(&mut self) -> Result<(), Misplaced> {
        let start = self.at;
        if self.query.text.chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '&')) {
            let hint = "write a plain text: '…', with a space before it";
            return wrong(start, "a text with a letter before its quotes", hint);
        }
        self.at += 1;
        let (mut text, mut parameter, mut pieces) = (String::new(), None, 0_usize);
        loop {
            let place = self.at;
            match self.rest().chars().next() {
                None => return wrong(start, "a text without its closing quote", "end it with '"),
                Some('\'') if self.rest().starts_with("''") => {
                    text.push_str("''");
                    self.at += 2;
                }
                Some('\'') => break,
                Some('%') => match self.percent()? {
                    Percent::Sign => text.push('%'),
                    Percent::Is(found) => parameter = Some((found, place)),
                },
                Some(other) => {
                    text.push(other);
                    self.at += other.len_utf8();
                }
            }
            pieces += 1;
        }
        self.at += 1;
        match parameter {
            None => {
                let _ = write!(self.query.text, "'{text}'");
            }
            Some((found, _)) if pieces == 1 => self.placeholder(found),
            Some((_, place)) => {
                let hint =
                    "write each piece between quotes of its own and join them: '%u' || '@' || '%d', '%%' || '%s'";
                return wrong(place, "what is looked up as a part of a text, where it cannot be bound", hint);
            }
        }
        Ok(())
    }

    /// A name between quotes.
    fn name(&mut self, closing: char) -> Result<(), Misplaced> {
        let opening = self.at;
        let Some(length) =
            self.rest().char_indices().skip(1).find(|(_, c)| *c == closing).map(|(at, c)| at + c.len_utf8())
        else {
            return wrong(opening, "a name without its closing quote", "end it with the quote it begins with");
        };
        let name = &self.text[opening..opening + length];
        if let Some(percent) = name.find('%') {
            let hint = "put a text between single quotes; a table or a column is named as it is";
            return wrong(opening + percent, "a percent sign in a name", hint);
        }
        self.query.text.push_str(name);
        self.at += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(dialect: Dialect, text: &str) -> Result<Query, (usize, String)> {
        Query::parse(dialect, text).map_err(|it| (it.at, it.wrong.what))
    }

    #[test]
    fn what_is_looked_up_is_bound_and_never_text() {
        use Parameter::{Domain, Key, User};
        let cases: [(&str, &str, &[Parameter]); 7] = [
            ("SELECT a FROM t WHERE k = '%s'", "SELECT a FROM t WHERE k = $1", &[Key]),
            ("select a from t where k = %s;", "select a from t where k = $1", &[Key]),
            ("SELECT a FROM t WHERE u = '%u' AND d = '%d'", "SELECT a FROM t WHERE u = $1 AND d = $2", &[User, Domain]),
            ("SELECT a FROM t WHERE '%s' LIKE '%%.x' || k", "SELECT a FROM t WHERE $1 LIKE '%.x' || k", &[Key]),
            (
                "SELECT a FROM t WHERE k = '%u' || '@' || '%d'",
                "SELECT a FROM t WHERE k = $1 || '@' || $2",
                &[User, Domain],
            ),
            ("SELECT 'it''s ?' FROM \"t;\" WHERE n %% 2 = 0", "SELECT 'it''s ?' FROM \"t;\" WHERE n % 2 = 0", &[]),
            ("WITH x AS (SELECT 1) SELECT f('%s') ; ", "WITH x AS (SELECT 1) SELECT f($1) ", &[Key]),
        ];
        for (written, text, parameters) in cases {
            let query = parsed(Dialect::Postgres, written).unwrap();
            assert_eq!((query.text.as_str(), &query.parameters[..]), (text, parameters));
        }
        let query = parsed(Dialect::Sqlite, "SELECT [a b] FROM `t` WHERE k IN ('%s', '%d')").unwrap();
        assert_eq!(query.text, "SELECT [a b] FROM `t` WHERE k IN (?1, ?2)");
    }

    #[test]
    fn where_nothing_can_be_bound_the_place_is_told() {
        let both = [
            ("SELECT a FROM t WHERE k LIKE '%%%s'", 32),
            ("SELECT a FROM t WHERE k = '%u@%d'", 30),
            ("SELECT a FROM t WHERE k = '%s%s'", 29),
            ("SELECT a FROM t WHERE k = 'x%s", 26),
            ("SELECT a FROM t_%s", 16),
            ("SELECT a FROM %s.t", 14),
            ("SELECT a FROM \"%s\"", 15),
            ("SELECT a FROM t WHERE k LIKE '%x'", 30),
            ("SELECT a FROM t WHERE k = E'%s'", 27),
            ("SELECT a FROM t -- '%s'", 16),
            ("SELECT a FROM t /* '%s' */", 16),
            ("SELECT 1; DELETE FROM t", 8),
            ("SELECT a FROM t WHERE k = $1", 26),
            ("DELETE FROM t", 0),
            ("selection", 0),
            ("SELECT 'a", 7),
            ("SELECT \"a", 7),
            ("SELECT %", 7),
        ];
        for (written, at) in both {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                let found = parsed(dialect, written).unwrap_err();
                assert_eq!(found.0, at, "{written}: {}", found.1);
            }
        }
        assert_eq!(parsed(Dialect::Sqlite, "SELECT a FROM t WHERE k = ?1").unwrap_err().0, 26);
        assert_eq!(parsed(Dialect::Postgres, "SELECT $$%s$$").unwrap_err().0, 7);
        assert!(parsed(Dialect::Postgres, "SELECT a::text FROM t WHERE b ? 'c' AND x[1] = '%s'").is_ok());
    }

    #[test]
    fn a_key_without_its_parts_is_not_asked_about() {
        let query = parsed(Dialect::Sqlite, "SELECT a FROM t WHERE u = '%u' AND d = '%d'").unwrap();
        assert_eq!(query.bind("u@x@d.example"), Some(vec!["u@x", "d.example"]));
        for key in ["d.example", "u@", "@d.example", ""] {
            assert_eq!(query.bind(key), None, "{key}");
        }
        let whole = parsed(Dialect::Sqlite, "SELECT a FROM t WHERE k = '%s'").unwrap();
        let hostile = "x' OR '1'='1";
        assert_eq!(whole.bind(hostile), Some(vec![hostile]));
    }
}
