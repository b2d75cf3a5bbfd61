//! The file of MTA-STS (RFC 8461 §3.2).

/// Lines that are read.
const LINES_MAX: usize = 256;
/// Longest time that a file may be kept (RFC 8461 §3.2).
const AGE_SECS_MAX: u32 = 31_557_600;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) mode: Mode,
    /// Names, in lower case; `*.d.example` is every name one label below.
    pub(crate) hosts: Vec<String>,
    pub(crate) max_age_secs: u32,
}

/// What senders do where TLS fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforce,
    Testing,
    None,
}

impl Policy {
    /// Reads it; what is not known is passed over. An error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut version, mut mode, mut hosts, mut age) = (None, None, Vec::new(), None);
        for line in text.lines().take(LINES_MAX).filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(':').ok_or("a line has no colon")?;
            let value = value.trim();
            match key.trim() {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "mx" => hosts.push(value.to_ascii_lowercase()),
                "max_age" => age = age.or(Some(value)),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("its version is not STSv1");
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err("its mode is none of enforce, testing, none"),
        };
        let max_age_secs = age.and_then(|age| age.parse().ok()).filter(|age| *age <= AGE_SECS_MAX);
        let max_age_secs = max_age_secs.ok_or("its max_age is no number of seconds up to a year")?;
        if mode != Mode::None && hosts.is_empty() {
            return Err("it names no mx");
        }
        Ok(Self { mode, hosts, max_age_secs })
    }

    /// Whether mail may go to a host.
    pub(crate) fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, below)| below.eq_ignore_ascii_case(domain)),
            None => host.eq_ignore_ascii_case(pattern),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_strictly_where_it_matters() {
        let good =
            "version: STSv1\r\nmode: testing\r\nmx: mx.d.example\r\nmx: *.e.example\r\nmax_age: 86400\r\nnew: x\r\n";
        let policy = Policy::parse(good).unwrap();
        assert_eq!((policy.mode, policy.max_age_secs), (Mode::Testing, 86_400));
        for (host, expected) in
            [("MX.d.example", true), ("a.e.example", true), ("a.b.e.example", false), ("e.example", false)]
        {
            assert_eq!(policy.has(host), expected, "{host}");
        }
        for (from, to) in [
            ("STSv1", "STSv2"),
            ("mode: testing", "mode: on"),
            ("mx: mx.d.example\r\nmx: *.e.example\r\n", ""),
            ("86400", "-1"),
            ("86400", "99999999"),
            ("new: x", "new"),
        ] {
            assert!(Policy::parse(&good.replace(from, to)).is_err(), "{to}");
        }
    }
}
