//! A reply: code, enhanced status code, text in one or more lines (RFC 5321 §4.2, RFC 3463), and its octets.

use std::borrow::Cow;
use std::fmt;

/// Longest reply line with its CRLF, in octets (RFC 5321 §4.5.3.1.5); longer text is cut.
pub const LINE_OCTETS_MAX: usize = 512;

/// What stands in a line beside its text: codes, spaces, CRLF.
const BESIDE_TEXT_OCTETS: usize = 20;

/// An enhanced status code, `class.subject.detail` (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    Line(Cow<'static, str>),
    Lines(Vec<Cow<'static, str>>),
}

/// One reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Text,
}

impl Reply {
    /// A reply of one line with an enhanced status code.
    pub fn new(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), text: Text::Line(text.into()) }
    }

    /// A reply of one line that has no enhanced status code: greeting, EHLO, 334, 354.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: Text::Line(text.into()) }
    }

    /// A reply of several lines. No lines make one empty line.
    pub fn lines(code: u16, enhanced: Option<Enhanced>, lines: Vec<Cow<'static, str>>) -> Self {
        Self { code, enhanced, text: Text::Lines(lines) }
    }

    /// With the short id under which what led to it is told, as every refusal of the judge has it.
    #[must_use]
    pub fn explained(mut self, id: &dyn fmt::Display) -> Self {
        let last = match &mut self.text {
            Text::Line(line) => Some(line),
            Text::Lines(lines) => lines.last_mut(),
        };
        if let Some(last) = last {
            *last = format!("{last} [{id}]").into();
        }
        self
    }

    /// The reply code, 200 to 599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The lines without codes and line ends.
    pub fn text(&self) -> &[Cow<'static, str>] {
        match &self.text {
            Text::Line(line) => std::slice::from_ref(line),
            Text::Lines(lines) => lines,
        }
    }

    /// 2xx: done.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx: try again later.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: do not try again.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Appends the reply as it goes over the wire. Text cannot break out of its line: whatever is not printable ASCII
    /// becomes `?`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // At once what it takes: a buffer that grows with each word costs more than the reply.
        out.reserve(self.text().iter().map(|line| line.len() + BESIDE_TEXT_OCTETS).sum());
        match self.text() {
            [] => self.write_line(out, "", b' '),
            [lines @ .., last] => {
                for line in lines {
                    self.write_line(out, line, b'-');
                }
                self.write_line(out, last, b' ');
            }
        }
    }

    fn write_line(&self, out: &mut Vec<u8>, text: &str, separator: u8) {
        let start = out.len();
        push_number(out, self.code);
        out.push(separator);
        if let Some(Enhanced(class, subject, detail)) = self.enhanced {
            push_number(out, class.into());
            out.push(b'.');
            push_number(out, subject);
            out.push(b'.');
            push_number(out, detail);
            out.push(b' ');
        }
        let room = LINE_OCTETS_MAX - 2 - (out.len() - start);
        let printable = |b: u8| if matches!(b, b' '..=b'~') { b } else { b'?' };
        out.extend(text.bytes().take(room).map(printable));
        out.extend_from_slice(b"\r\n");
    }
}

fn push_number(out: &mut Vec<u8>, number: u16) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    let digit = u8::try_from(number % 10).unwrap_or(0);
    out.push(b'0' + digit);
}

/// As it goes over the wire, lines joined by ` / `: for logs and delivery reports.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (n, line) in self.text().iter().enumerate() {
            write!(f, "{}{line}", if n == 0 { " " } else { " / " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(wire(&Reply::new(550, Enhanced(5, 7, 1), "no")), "550 5.7.1 no\r\n");
        let lines = vec!["a".into(), "b".into(), "c".into()];
        assert_eq!(wire(&Reply::lines(250, None, lines)), "250-a\r\n250-b\r\n250 c\r\n");
        assert_eq!(wire(&Reply::lines(250, None, vec![])), "250 \r\n");
    }

    #[test]
    fn text_stays_in_its_line() {
        let hostile = Reply::new(550, Enhanced(5, 1, 1), "<a\r\n250 ok>\0\u{e9}");
        assert_eq!(wire(&hostile), "550 5.1.1 <a??250 ok>???\r\n");
        let long = wire(&Reply::plain(250, "x".repeat(2000)));
        assert_eq!(long.len(), LINE_OCTETS_MAX);
        assert!(long.ends_with("x\r\n"));
    }
}
