//! Replies of a peer: read from any split of the input, within bounds.
//!
//! A server is a stranger too: one that sends a line without end, or lines without end, must cost us
//! no more than [`ResponseLimits`] allow.

use std::fmt;

/// What one reply may cost us.
#[derive(Debug, Clone, Copy)]
pub struct ResponseLimits {
    /// Longest reply line with its line end, in octets. RFC 5321 §4.5.3.1.5 says 512; many exceed it.
    pub line_octets_max: usize,
    /// Most lines of one reply.
    pub lines_max: usize,
    /// Most text kept of one reply, in octets; what is beyond is dropped, not an error.
    pub text_octets_max: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { line_octets_max: 4096, lines_max: 128, text_octets_max: 8192 }
    }
}

/// Why the input is no reply. The connection cannot be used any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// A line outgrew [`ResponseLimits::line_octets_max`].
    #[error("a reply line exceeds {max} octets")]
    LineTooLong {
        /// The limit.
        max: usize,
    },
    /// A reply outgrew [`ResponseLimits::lines_max`].
    #[error("a reply exceeds {max} lines")]
    TooManyLines {
        /// The limit.
        max: usize,
    },
    /// No three digits and a blank, hyphen or line end.
    #[error("not a reply line: {line:?}")]
    NotAReply {
        /// The start of the line, made printable.
        line: String,
    },
    /// The lines of one reply have different codes (RFC 5321 §4.2.1).
    #[error("one reply with the codes {first} and {then}")]
    CodesDiffer {
        /// Code of the first line.
        first: u16,
        /// Code of the differing line.
        then: u16,
    },
}

/// One whole reply of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Reply code, 200 to 599.
    pub code: u16,
    /// Enhanced status code of the first line (RFC 2034), if it agrees with the class of the code.
    pub enhanced: Option<[u16; 3]>,
    /// Text without codes, lines joined by `\n`; control characters are blanks.
    pub text: String,
}

impl Response {
    /// A reply that no peer gave: what we conclude ourselves, in the form of a reply.
    pub fn local(code: u16, enhanced: [u16; 3], text: impl Into<String>) -> Self {
        Self { code, enhanced: Some(enhanced), text: text.into() }
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

/// One line, as it stands in a log or a DSN: `550 5.1.1 no such user`.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some([class, subject, detail]) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        for line in self.text.split('\n').filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// Collects octets and gives whole replies.
#[derive(Debug)]
pub struct ResponseReader {
    limits: ResponseLimits,
    buffer: Vec<u8>,
    read: usize,
    /// Octets behind `read` that are known to have no line end.
    scanned: usize,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    response: Response,
    lines: usize,
}

impl ResponseReader {
    /// An empty reader.
    pub fn new(limits: ResponseLimits) -> Self {
        Self { limits, buffer: Vec::new(), read: 0, scanned: 0, partial: None }
    }

    /// Whether nothing is buffered, not even half a line or half a reply.
    pub fn is_empty(&self) -> bool {
        self.read == self.buffer.len() && self.partial.is_none()
    }

    /// Adds what the peer sent.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply, `None` when more octets are needed.
    pub fn next_response(&mut self) -> Result<Option<Response>, ResponseError> {
        while let Some(end) = self.line_end()? {
            let line = trim_line_end(&self.buffer[self.read..end]);
            let line = Line::split(line)?;
            join(&mut self.partial, self.limits, &line)?;
            self.read = end;
            self.scanned = 0;
            if line.is_last {
                self.compact();
                return Ok(self.partial.take().map(|partial| partial.response));
            }
        }
        self.compact();
        Ok(None)
    }

    /// End of the next line in the buffer, behind its LF.
    fn line_end(&mut self) -> Result<Option<usize>, ResponseError> {
        let max = self.limits.line_octets_max;
        let rest = &self.buffer[self.read..];
        let found = rest[self.scanned..].iter().position(|&octet| octet == b'\n').map(|at| self.scanned + at + 1);
        if found.unwrap_or(rest.len()) > max {
            return Err(ResponseError::LineTooLong { max });
        }
        self.scanned = rest.len();
        Ok(found.map(|length| self.read + length))
    }

    /// Gives read octets back once nothing or little is behind them.
    fn compact(&mut self) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        } else if self.read > self.limits.line_octets_max {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
    }
}

/// Adds a line to the reply being read.
fn join(partial: &mut Option<Partial>, limits: ResponseLimits, line: &Line<'_>) -> Result<(), ResponseError> {
    let Line { code, text, .. } = *line;
    let Some(partial) = partial else {
        let (enhanced, text) = split_enhanced(code, text);
        let mut response = Response { code, enhanced, text: String::new() };
        append(&mut response.text, text, limits.text_octets_max);
        *partial = Some(Partial { response, lines: 1 });
        return Ok(());
    };
    if partial.response.code != code {
        return Err(ResponseError::CodesDiffer { first: partial.response.code, then: code });
    }
    partial.lines += 1;
    if partial.lines > limits.lines_max {
        return Err(ResponseError::TooManyLines { max: limits.lines_max });
    }
    let (enhanced, rest) = split_enhanced(code, text);
    let text = if enhanced.is_some() && enhanced == partial.response.enhanced { rest } else { text };
    if partial.response.text.len() < limits.text_octets_max {
        partial.response.text.push('\n');
    }
    append(&mut partial.response.text, text, limits.text_octets_max);
    Ok(())
}

fn append(to: &mut String, text: &[u8], max: usize) {
    for character in String::from_utf8_lossy(text).chars() {
        if to.len() + character.len_utf8() > max {
            return;
        }
        to.push(if character.is_control() { ' ' } else { character });
    }
}

/// A line ends with LF; the CR before it is left out by some servers, which harms nobody here.
fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// One line of a reply.
struct Line<'a> {
    code: u16,
    is_last: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    fn split(line: &'a [u8]) -> Result<Self, ResponseError> {
        let not_a_reply = || ResponseError::NotAReply { line: printable_start(line) };
        let (digits, rest) = line.split_at_checked(3).ok_or_else(not_a_reply)?;
        if !digits.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&digits[0]) {
            return Err(not_a_reply());
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        match rest.split_first() {
            None => Ok(Self { code, is_last: true, text: rest }),
            Some((b' ', text)) => Ok(Self { code, is_last: true, text }),
            Some((b'-', text)) => Ok(Self { code, is_last: false, text }),
            Some(_) => Err(not_a_reply()),
        }
    }
}

fn printable_start(line: &[u8]) -> String {
    line.iter().take(64).map(|&octet| if octet.is_ascii_graphic() { char::from(octet) } else { ' ' }).collect()
}

/// `5.1.1 text` → the enhanced code and the text, if the class is that of the reply code.
fn split_enhanced(code: u16, text: &[u8]) -> (Option<[u16; 3]>, &[u8]) {
    let end = text.iter().position(|&octet| octet == b' ').unwrap_or(text.len());
    let Some(enhanced) = parse_enhanced(&text[..end]) else { return (None, text) };
    if enhanced[0] != code / 100 {
        return (None, text);
    }
    (Some(enhanced), text.get(end + 1..).unwrap_or_default())
}

fn parse_enhanced(word: &[u8]) -> Option<[u16; 3]> {
    let mut parts = word.split(|&octet| octet == b'.');
    let mut number = || {
        let digits = parts.next()?;
        let plain = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        plain.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
    };
    let enhanced = [number()?, number()?, number()?];
    parts.next().is_none().then_some(enhanced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<Response>, ResponseError> {
        let mut reader = ResponseReader::new(ResponseLimits::default());
        reader.push(bytes);
        let mut responses = Vec::new();
        while let Some(response) = reader.next_response()? {
            responses.push(response);
        }
        Ok(responses)
    }

    #[test]
    fn replies_are_read_as_they_print() {
        let table: &[(&str, &[&str])] = &[
            ("250 OK\r\n", &["250 OK"]),
            ("250\r\n", &["250"]),
            ("250 OK\n", &["250 OK"]),
            ("550 5.1.1 no such user\r\n", &["550 5.1.1 no such user"]),
            ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", &["550 5.1.1 no such user"]),
            ("550 4.1.1 class differs\r\n", &["550 4.1.1 class differs"]),
            ("250-a\r\n250-b\r\n250 c\r\n354 go\r\n", &["250 a b c", "354 go"]),
            ("220 \x1b[2Jhost\r\n", &["220  [2Jhost"]),
            ("250 half", &[]),
            ("250-more\r\n", &[]),
        ];
        for (input, printed) in table {
            let got: Vec<String> = read_all(input.as_bytes()).expect(input).iter().map(ToString::to_string).collect();
            assert_eq!(&got, printed, "{input:?}");
        }
    }

    #[test]
    fn enhanced_code_of_another_class_is_text() {
        let got = read_all(b"550 4.1.1 x\r\n").unwrap();
        assert_eq!((got[0].enhanced, got[0].text.as_str()), (None, "4.1.1 x"));
        assert_eq!(read_all(b"250 2.1.5 ok\r\n").unwrap()[0].enhanced, Some([2, 1, 5]));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for input in
            ["HTTP/1.1 200 OK\r\n", "25 x\r\n", "250x\r\n", "150 x\r\n", "650 x\r\n", "\r\n", "\u{ff12}50 x\r\n"]
        {
            assert!(matches!(read_all(input.as_bytes()), Err(ResponseError::NotAReply { .. })), "{input:?}");
        }
        assert_eq!(read_all(b"250-a\r\n251 b\r\n"), Err(ResponseError::CodesDiffer { first: 250, then: 251 }));
    }

    #[test]
    fn lines_and_their_number_are_bounded() {
        assert_eq!(read_all(&[b'2'; 5000]), Err(ResponseError::LineTooLong { max: 4096 }));
        assert_eq!(read_all(&b"250-x\r\n".repeat(200)), Err(ResponseError::TooManyLines { max: 128 }));
        let long = format!("250-{}\r\n", "x".repeat(1000)).repeat(20) + "250 end\r\n";
        assert!(read_all(long.as_bytes()).unwrap()[0].text.len() <= 8192);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(bytes in "(250[- ][a-z.0-9 ]{0,9}\r?\n|55[0-9] 5.1.[0-9] x\r\n){0,8}[ -~]{0,5}", cuts in proptest::collection::vec(0usize..200, 0..6)) {
            let whole = read_all(bytes.as_bytes());
            let mut reader = ResponseReader::new(ResponseLimits::default());
            let (mut got, mut failed) = (Vec::new(), None);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            'pieces: for pair in cuts.windows(2) {
                reader.push(&bytes.as_bytes()[pair[0]..pair[1]]);
                loop {
                    match reader.next_response() {
                        Ok(Some(response)) => got.push(response),
                        Ok(None) => break,
                        Err(error) => { failed = Some(error); break 'pieces }
                    }
                }
            }
            prop_assert_eq!(whole, failed.map_or(Ok(got), Err));
        }
    }
}
