//! What other protocols open with, where lines are spoken. Whoever makes a program of a trusted host speak to a port of ours
//! (a web page, a web service that fetches what it is told to, a telephone, a database client) rules what stands behind its
//! first line; whoever reads on as if nothing had been said carries it out. So the connection ends there (T50).

use crate::http;

/// Whose opening it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// HTTP, of whatever version.
    Http,
    /// Something else that is none of our protocols: TLS, SSH, SIP, Redis and so on.
    Other,
}

/// Words of letters only by which some other protocol begins; the rest is known by what a command's word cannot have.
const WORDS: [&[u8]; 20] = [
    // The PROXY protocol, from whom it is not expected.
    b"PROXY", // SIP and RTSP.
    b"INVITE",
    b"REGISTER",
    b"DESCRIBE",
    b"ANNOUNCE",
    b"SETUP",
    b"SUBSCRIBE", // IRC.
    b"NICK",      // Redis and memcached as one types them.
    b"PING",
    b"SET",
    b"CONFIG",
    b"FLUSHALL",
    b"SLAVEOF",
    b"REPLICAOF",
    b"EVAL",
    b"INFO",
    b"KEYS",
    b"STATS",
    b"VERSION",
    // The debug bridge of telephones.
    b"CNXN",
];

/// Protocols that name themselves with their version at the end of a request.
const VERSIONED: [&[u8]; 4] = [b"RTSP/", b"SIP/", b"ICAP/", b"SPDY/"];

/// What a line is that begins so, however it ends and whatever was said before: a long target must not hide a request, and what
/// is no text (a TLS hello has no line end) must not wait for one.
pub fn begins(input: &[u8]) -> Option<Opening> {
    if http::begins_request(input) {
        return Some(Opening::Http);
    }
    let first = *input.first()?;
    let is_text = first.is_ascii() && (!first.is_ascii_control() || matches!(first, b'\t' | b'\r' | b'\n'));
    (!is_text).then_some(Opening::Other)
}

/// What a whole line is, whatever was said before.
pub fn of_line(line: &[u8]) -> Option<Opening> {
    if http::is_request(line) {
        return Some(Opening::Http);
    }
    names_its_version(line).then_some(Opening::Other)
}

/// What the first line of a session is that is no command: no command's word has other than letters in it. A word of letters
/// that nobody knows may be one that a firewall has painted over (`XXXX`), and is only unknown.
pub fn of_first_line(line: &[u8]) -> Option<Opening> {
    let line = line.trim_ascii();
    let word = line.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
    let first = *word.first()?;
    let is_foreign = !first.is_ascii_alphabetic()
        || word.iter().any(|b| matches!(b, b'-' | b':' | b'/' | b'=' | b'0'..=b'9'))
        || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
    of_line(line).or(is_foreign.then_some(Opening::Other))
}

fn names_its_version(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some(blank) = line.iter().rposition(|&b| b == b' ') else { return false };
    let word = &line[blank + 1..];
    VERSIONED.iter().any(|name| word.strip_prefix(*name).is_some_and(is_version))
}

fn is_version(text: &[u8]) -> bool {
    matches!(text, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t50_openings_are_known_by_their_first_octets() {
        let table: &[(&[u8], Option<Opening>)] = &[
            (b"POST / HT", Some(Opening::Http)),
            (b"\x16\x03\x01\x02\x00\x01", Some(Opening::Other)),
            (b"\x16", Some(Opening::Other)),
            (b"\x80\x2e\x01\x00\x02", Some(Opening::Other)),
            (b"\0\0\0\x08\x04\xd2\x16/", Some(Opening::Other)),
            (b"\x03\0\0\x13\x0e", Some(Opening::Other)),
            (b"\xe3\x81\x82", Some(Opening::Other)),
            (b"\r\n\r\n\0\r\nQUIT\n", None),
            (b"\tEHLO a", None),
            (b"EHLO \xe3\x81\x82", None),
            (b"", None),
        ];
        for (input, expected) in table {
            assert_eq!(begins(input), *expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn t50_openings_are_known_by_their_first_line() {
        let others: &[&[u8]] = &[
            b"SSH-2.0-OpenSSH_9.6",
            b"INVITE sip:a@mail.example.test SIP/2.0",
            b"OPTIONS2 sip:a@mail.example.test SIP/2.0",
            b"DESCRIBE rtsp://mail.example.test/ RTSP/1.0",
            b"*1",
            b"$4",
            b"set k 0 0 10",
            b"CONFIG GET *",
            b"Host: mail.example.test",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
            b"NICK bot",
            b"a001 LOGIN x y",
            b". CAPABILITY",
            b"JDWP-Handshake",
            b"git-upload-pack /x",
            b"{\"id\":1}",
            b"<?xml version='1.0'?>",
            b"@RSYNCD: 31.0",
            b"<policy-file-request/>",
            b"request=smtpd_access_policy",
        ];
        for line in others {
            assert_eq!(of_first_line(line), Some(Opening::Other), "{}", line.escape_ascii());
        }
        assert_eq!(of_first_line(b"FOO / HTTP/1.1"), Some(Opening::Http));
        for line in
            [&b""[..], b"XXXX mail.example", b"HELLO you", b"EHLO a", b"MAIL FROM:<a@b.example>", b"USER a", b"NO\0OP"]
        {
            assert_eq!(of_first_line(line), None, "{}", line.escape_ascii());
        }
        assert_eq!(of_line(b"NOOP x SIP/2.0\r"), Some(Opening::Other));
        assert_eq!(of_line(b"NOOP SIP/2.0x"), None);
    }
}
