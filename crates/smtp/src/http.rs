//! HTTP where lines are spoken. A web page, or a web service that fetches what it is told to, can post to a port of its own
//! host or network; whoever reads on behind the header as if nothing had been said carries out what the page wrote into its
//! body, for a client that may have rights by its address. So every protocol of lines hangs up at a request of HTTP.

/// Methods of RFC 9110 §9.3, of RFC 5789, and the word that opens HTTP/2 (RFC 9113 §3.4).
const METHODS: [&[u8]; 10] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"];

/// What stands between the target and the version of a request line (RFC 9112 §3), whatever the method.
const VERSION: &[u8] = b" HTTP/";

/// Whether a line without its line end is a request of HTTP.
pub fn is_request(line: &[u8]) -> bool {
    begins_request(line) || has_version(line)
}

/// Whether a line that begins so is one, however it ends: a long target must not hide it.
pub fn begins_request(line: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let begins = line.get(..method.len()).is_some_and(|word| word.eq_ignore_ascii_case(method));
        begins && line.get(method.len()).is_some_and(|behind| matches!(behind, b' ' | b'\t'))
    })
}

/// `METHOD TARGET HTTP/1.1`, where the method is one that we do not know.
fn has_version(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some(version) = line.len().checked_sub(VERSION.len() + 3).and_then(|at| line.get(at..)) else { return false };
    let (word, number) = version.split_at(VERSION.len());
    word == VERSION && matches!(number, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_what_is_none() {
        let requests: &[&[u8]] = &[
            b"POST / HTTP/1.1",
            b"GET /",
            b"get / HTTP/1.0\r",
            b"POST\t/ HTTP/1.1",
            b"PRI * HTTP/2.0",
            b"PROPFIND /a HTTP/1.1\r",
            b"OPTIONS * HTTP/1.1",
            b"POST /aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ];
        let others: &[&[u8]] = &[
            b"",
            b"POST",
            b"POSTMASTER x",
            b"EHLO client.example",
            b"NOOP HTTP",
            b"NOOP HTTP/1",
            b"MAIL FROM:<get@example.test>",
            b"RETR 1",
            b"request=smtpd_access_policy",
        ];
        for line in requests {
            assert!(is_request(line), "{}", line.escape_ascii());
        }
        for line in others {
            assert!(!is_request(line), "{}", line.escape_ascii());
        }
        assert!(begins_request(b"POST /a") && !begins_request(b"PROPFIND / HTTP/1.1"));
    }
}
