//! What a server offers in its answer to EHLO or LHLO.

use super::Response;

/// The extensions of a server that this client uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent offers, each a word of the EHLO answer")]
pub struct Capabilities {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// SIZE (RFC 1870): `Some(None)` is offered without a fixed limit.
    pub size: Option<Option<u64>>,
    /// Mechanisms of AUTH (RFC 4954), upper case, in the order offered; at most 32.
    pub auth: Vec<String>,
}

const AUTH_MECHANISMS_MAX: usize = 32;

impl Capabilities {
    /// Reads the answer to EHLO; the first line is the greeting.
    pub fn parse(response: &Response) -> Self {
        let mut capabilities = Self::default();
        for line in response.text.split('\n').skip(1) {
            capabilities.add(line);
        }
        capabilities
    }

    /// Whether a message of so many octets is within the declared limit.
    pub fn takes_octets(&self, octets: u64) -> bool {
        self.size.flatten().is_none_or(|limit| octets <= limit)
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "STARTTLS" => self.starttls = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            // 0 says "no fixed limit" (RFC 1870 §4).
            "SIZE" => self.size = Some(words.next().and_then(|word| word.parse().ok()).filter(|&limit| limit > 0)),
            "AUTH" => self.add_mechanisms(words),
            // AUTH=LOGIN: the form of servers before RFC 2554 was final.
            other => {
                if let Some(first) = other.strip_prefix("AUTH=") {
                    self.add_mechanisms(std::iter::once(first).chain(words));
                }
            }
        }
    }

    fn add_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            let word = word.to_ascii_uppercase();
            if self.auth.len() < AUTH_MECHANISMS_MAX && !self.auth.contains(&word) {
                self.auth.push(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read() {
        let text = "mx.example\nPIPELINING\nSIZE 1000\nauth plain LOGIN\nAUTH=LOGIN X-OLD\nstarttls\n8bitmime\nSMTPUTF8\nDSN\nFUTURE x\n";
        let capabilities = Capabilities::parse(&Response { code: 250, enhanced: None, text: text.into() });
        assert_eq!(
            capabilities,
            Capabilities {
                pipelining: true,
                starttls: true,
                eight_bit_mime: true,
                smtputf8: true,
                dsn: true,
                size: Some(Some(1000)),
                auth: vec!["PLAIN".into(), "LOGIN".into(), "X-OLD".into()],
            }
        );
        assert!(capabilities.takes_octets(1000) && !capabilities.takes_octets(1001));
    }

    #[test]
    fn the_greeting_line_offers_nothing_and_size_zero_is_no_limit() {
        let parse = |text: &str| Capabilities::parse(&Response { code: 250, enhanced: None, text: text.into() });
        assert_eq!(parse("STARTTLS"), Capabilities::default());
        for text in ["h\nSIZE", "h\nSIZE 0", "h\nSIZE many"] {
            assert_eq!(parse(text).size, Some(None), "{text}");
            assert!(parse(text).takes_octets(u64::MAX));
        }
    }
}
