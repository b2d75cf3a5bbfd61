//! Replies of a peer: read from any split of the input, within bounds.
//!
//! A server is a stranger too: one that sends a line without end, or lines without end, must cost us
//! no more than [`ResponseLimits`] allow.

use std::borrow::Cow;
use std::fmt;

/// What one reply may cost us. What is beyond the first three is cut off: a reply that says too much still says yes or no.
#[derive(Debug, Clone, Copy)]
pub struct ResponseLimits {
    /// Octets of a line that are looked at. RFC 5321 §4.5.3.1.5 says 512; many exceed it.
    pub line_octets_max: usize,
    /// Lines of one reply whose text is kept.
    pub lines_max: usize,
    /// Most text kept of one reply, in octets.
    pub text_octets_max: usize,
    /// Octets of one reply that are waited for; a host that goes on says nothing.
    pub reply_octets_max: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { line_octets_max: 4096, lines_max: 128, text_octets_max: 8192, reply_octets_max: 1 << 20 }
    }
}

/// Why the input is no reply. The connection cannot be used any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// A reply outgrew [`ResponseLimits::reply_octets_max`].
    #[error("a reply exceeds {max} octets")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// It does not begin with three digits and a blank, hyphen or line end.
    #[error("not a reply line: {line:?}")]
    NotAReply {
        /// The start of the line, made printable.
        line: String,
    },
}

/// One whole reply of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Reply code, 200 to 599: that of the last line, where they differ (RFC 5321 §4.2.1 forbids it, and hosts do it).
    pub code: u16,
    /// Enhanced status code of the first line that has one of the class of the code (RFC 2034).
    pub enhanced: Option<[u16; 3]>,
    /// Text without codes, lines joined by `\n`; control characters are blanks. A line that is no UTF-8 is taken for ISO 8859-1,
    /// and octets that are none either stand as `\x81`.
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
    /// The line being read, as far as it is looked at.
    line: Vec<u8>,
    /// Octets of the reply being read.
    octets: usize,
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
        Self { limits, buffer: Vec::new(), read: 0, line: Vec::new(), octets: 0, partial: None }
    }

    /// Whether nothing is buffered, not even half a line or half a reply.
    pub fn is_empty(&self) -> bool {
        self.read == self.buffer.len() && self.octets == 0
    }

    /// Adds what the peer sent.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply, `None` when more octets are needed.
    pub fn next_response(&mut self) -> Result<Option<Response>, ResponseError> {
        while self.next_line()? {
            let line = std::mem::take(&mut self.line);
            let line = Line::split(trim_line_end(&line), self.partial.is_some())?;
            join(&mut self.partial, self.limits, &line);
            if line.is_last {
                self.octets = 0;
                return Ok(self.partial.take().map(|partial| partial.response));
            }
        }
        Ok(None)
    }

    /// Reads on to the end of the line; false when that did not come yet.
    fn next_line(&mut self) -> Result<bool, ResponseError> {
        let rest = &self.buffer[self.read..];
        let end = rest.iter().position(|&octet| octet == b'\n');
        let length = end.map_or(rest.len(), |end| end + 1);
        let room = self.limits.line_octets_max.saturating_sub(self.line.len());
        self.line.extend_from_slice(&rest[..length.min(room)]);
        self.read += length;
        self.octets += length;
        let max = self.limits.reply_octets_max;
        if self.octets > max {
            return Err(ResponseError::TooLong { max });
        }
        Ok(end.is_some())
    }
}

/// Adds a line to the reply being read.
fn join(partial: &mut Option<Partial>, limits: ResponseLimits, line: &Line<'_>) {
    let Line { code, text, .. } = *line;
    let is_first = partial.is_none();
    let partial = partial.get_or_insert_with(|| Partial {
        response: Response { code: code.unwrap_or_default(), enhanced: None, text: String::new() },
        lines: 0,
    });
    let response = &mut partial.response;
    if let Some(code) = code {
        response.code = code;
        response.enhanced = response.enhanced.filter(|enhanced| enhanced[0] == code / 100);
    }
    let (enhanced, rest) = split_enhanced(response.code, text);
    // Said again on each line, it stands once.
    let is_known = response.enhanced.is_some() && response.enhanced != enhanced;
    let text = if is_known { text } else { rest };
    response.enhanced = response.enhanced.or(enhanced);
    partial.lines += 1;
    if partial.lines > limits.lines_max {
        return;
    }
    if !is_first && response.text.len() < limits.text_octets_max {
        response.text.push('\n');
    }
    append(&mut response.text, text, limits.text_octets_max);
}

fn append(to: &mut String, text: &[u8], max: usize) {
    for character in readable(text).chars() {
        if to.len() + character.len_utf8() > max {
            return;
        }
        to.push(if character.is_control() { ' ' } else { character });
    }
}

/// Hosts speak to their own customers: in UTF-8, or in what was there before it. A line cut in the midst of a character is UTF-8.
fn readable(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => text.into(),
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&text[..error.valid_up_to()]),
        Err(_) if text.iter().any(|octet| (0x80..0xa0).contains(octet)) => {
            text.iter().map(|&octet| escaped(octet)).collect()
        }
        Err(_) => text.iter().map(|&octet| char::from(octet)).collect(),
    }
}

fn escaped(octet: u8) -> String {
    if octet.is_ascii() { char::from(octet).to_string() } else { format!("\\x{octet:02x}") }
}

/// A line ends with LF; the CR before it is left out by some servers, which harms nobody here.
fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// One line of a reply.
struct Line<'a> {
    /// `None`: a line in the midst of a reply that has none.
    code: Option<u16>,
    is_last: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// `goes_on`: a reply has begun, so that what has no code is a line of its text.
    fn split(line: &'a [u8], goes_on: bool) -> Result<Self, ResponseError> {
        match Self::split_strictly(line) {
            Some(split) => Ok(split),
            None if goes_on => Ok(Self { code: None, is_last: false, text: line }),
            None => Err(ResponseError::NotAReply { line: printable_start(line) }),
        }
    }

    fn split_strictly(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        if !digits.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&digits[0]) {
            return None;
        }
        let code = Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')));
        match rest.split_first() {
            None => Some(Self { code, is_last: true, text: rest }),
            Some((b' ', text)) => Some(Self { code, is_last: true, text }),
            Some((b'-', text)) => Some(Self { code, is_last: false, text }),
            Some(_) => None,
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
            ("250-a\r\n251 b\r\n", &["251 a b"]),
            ("250-2.0.0 ok\r\n550 5.7.1 but no\r\n250 c\r\n", &["550 5.7.1 ok but no", "250 c"]),
            ("550-5.7.1 no\r\n450 later\r\n", &["450 no later"]),
            ("550-no\r\nsee below\r\n550 x\r\n", &["550 no see below x"]),
            ("550-no\r\n\r\n550x\r\n550\r\n", &["550 no 550x"]),
            ("550 宛先がありません\r\n", &["550 宛先がありません"]),
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
    }

    #[test]
    fn what_is_too_long_is_cut_and_costs_no_more() {
        let long = format!("550 5.1.1 {}\r\n250 next\r\n", "x".repeat(100_000));
        let got = read_all(long.as_bytes()).unwrap();
        assert_eq!((got[0].code, got[0].enhanced, got[1].code), (550, Some([5, 1, 1]), 250));
        assert!(got[0].text.len() <= 4096);
        let many = "250-x\r\n".repeat(200) + "250 end\r\n250 next\r\n";
        assert_eq!(read_all(many.as_bytes()).unwrap().iter().map(|one| one.code).collect::<Vec<_>>(), [250, 250]);
        let long = format!("250-{}\r\n", "x".repeat(1000)).repeat(20) + "250 end\r\n";
        assert!(read_all(long.as_bytes()).unwrap()[0].text.len() <= 8192);
        let mut reader = ResponseReader::new(ResponseLimits::default());
        for _ in 0..(1 << 20) / 4096 {
            reader.push(&[b'2'; 4096]);
            assert_eq!(reader.next_response(), Ok(None));
            assert!(reader.buffer.len() + reader.line.len() <= 8192);
        }
        reader.push(b"2");
        assert_eq!(reader.next_response(), Err(ResponseError::TooLong { max: 1 << 20 }));
        assert_eq!(read_all(&b"250-x\r\n".repeat(200_000)), Err(ResponseError::TooLong { max: 1 << 20 }));
    }

    #[test]
    fn text_of_any_encoding_stays_readable() {
        for (text, expected) in [
            (&b"550 Bo\xeete pleine\r\n"[..], "Boîte pleine"),
            (b"550 \x88\xb6\x90\xe6 no\r\n", "\\x88\\xb6\\x90\\xe6 no"),
            ("550 ü\x07\r\n".as_bytes(), "ü "),
        ] {
            assert_eq!(read_all(text).unwrap()[0].text, expected);
        }
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
