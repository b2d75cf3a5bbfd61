//! A reply and how it looks on the wire.

use std::borrow::Cow;

/// Response codes (RFC 2449 §8, RFC 3206, RFC 6856 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The credentials are wrong, or the way to give them.
    Auth,
    /// Another session has the maildrop.
    InUse,
    /// Logged in too short a time ago.
    LoginDelay,
    /// A fault of ours that passes.
    SysTemp,
    /// A fault of ours that somebody must mend.
    SysPerm,
    /// The client must say UTF8 first.
    Utf8,
}

impl Code {
    /// As it stands between the brackets.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "AUTH",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Utf8 => "UTF8",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Positive,
    Negative,
    Continue,
}

/// A reply: its first line, and further lines where the command has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    status: Status,
    code: Option<Code>,
    text: Cow<'static, str>,
    lines: Option<Vec<Cow<'static, str>>>,
}

impl Reply {
    /// `+OK text`.
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Positive, code: None, text: text.into(), lines: None }
    }

    /// `-ERR text`.
    pub fn err(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Negative, code: None, text: text.into(), lines: None }
    }

    /// `-ERR [CODE] text`.
    pub fn coded(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code), ..Self::err(text) }
    }

    /// `+ text`: a challenge, already in base64.
    pub(crate) fn challenge(base64: String) -> Self {
        Self { status: Status::Continue, ..Self::ok(base64) }
    }

    /// `+OK text`, the lines, `.`; no line begins with a dot.
    pub(crate) fn with_lines(text: &'static str, lines: Vec<Cow<'static, str>>) -> Self {
        Self { lines: Some(lines), ..Self::ok(text) }
    }

    /// Whether it is `+OK`.
    pub fn is_positive(&self) -> bool {
        self.status == Status::Positive
    }

    /// The response code, for the log.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// The words of the first line, for the log.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends it as it goes over the wire. A line break inside a text becomes a blank: no text makes a second reply.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.status {
            Status::Positive => b"+OK",
            Status::Negative => b"-ERR",
            Status::Continue => b"+ ",
        });
        if let Some(code) = self.code {
            out.extend_from_slice(b" [");
            out.extend_from_slice(code.word().as_bytes());
            out.push(b']');
        }
        if !self.text.is_empty() && self.status != Status::Continue {
            out.push(b' ');
        }
        push_line(&self.text, out);
        if let Some(lines) = &self.lines {
            for line in lines {
                push_line(line, out);
            }
            out.extend_from_slice(b".\r\n");
        }
    }
}

fn push_line(text: &str, out: &mut Vec<u8>) {
    out.extend(text.bytes().map(|octet| if matches!(octet, b'\r' | b'\n') { b' ' } else { octet }));
    out.extend_from_slice(b"\r\n");
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
    fn on_the_wire() {
        assert_eq!(wire(&Reply::ok("")), "+OK\r\n");
        assert_eq!(wire(&Reply::coded(Code::InUse, "later")), "-ERR [IN-USE] later\r\n");
        assert_eq!(wire(&Reply::challenge(String::new())), "+ \r\n");
        assert_eq!(wire(&Reply::with_lines("here", vec!["A".into(), "B".into()])), "+OK here\r\nA\r\nB\r\n.\r\n");
        assert_eq!(wire(&Reply::err("a\r\n+OK b")), "-ERR a  +OK b\r\n");
    }
}
