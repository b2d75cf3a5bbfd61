//! Addresses as other mail servers tell them: without angle brackets, quoted as they came or not quoted at all.

use smtp::address::{AddressError, ForwardPathParse, Host, LocalPart};
use smtp::{ForwardPath, Mailbox, ReversePath};

/// A reverse-path without brackets; an empty one is the null reverse-path.
pub fn reverse(octets: &[u8]) -> Result<ReversePath, AddressError> {
    if octets.is_empty() {
        return Ok(ReversePath::Null);
    }
    let text = utf8(octets)?;
    if text.starts_with('@') { ReversePath::parse(&format!("<{text}>")) } else { Ok(mailbox(text)?.into()) }
}

/// A forward-path without brackets.
pub fn forward(octets: &[u8]) -> Result<ForwardPathParse, AddressError> {
    let text = utf8(octets)?;
    if text.starts_with('@') {
        return ForwardPath::parse(&format!("<{text}>"));
    }
    let path = if text.eq_ignore_ascii_case("postmaster") { ForwardPath::Postmaster } else { mailbox(text)?.into() };
    Ok(ForwardPathParse { path, had_source_route: false })
}

fn utf8(octets: &[u8]) -> Result<&str, AddressError> {
    str::from_utf8(octets).map_err(|_| AddressError::Encoding)
}

/// Postfix takes the quotes off and sends `a b@example.com` for `"a b"@example.com`. In both the host stands behind the last
/// at sign, since no host has one.
fn mailbox(text: &str) -> Result<Mailbox, AddressError> {
    let quoted = Mailbox::parse(text);
    let Some((local_part, host)) = text.rsplit_once('@').filter(|_| quoted.is_err()) else { return quoted };
    if local_part.is_empty() {
        return quoted;
    }
    Ok(Mailbox::new(LocalPart::from_unquoted(local_part)?, Host::parse(host)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_paths() {
        let table = [
            ("friend@outside.example", Some("<friend@outside.example>")),
            ("Friend@OUTSIDE.example", Some("<Friend@outside.example>")),
            ("\"a b\"@outside.example", Some("<\"a b\"@outside.example>")),
            ("a b@outside.example", Some("<\"a b\"@outside.example>")),
            ("user@inner.example@own.example", Some("<\"user@inner.example\"@own.example>")),
            ("\"a\"@inner.example@own.example", Some("<\"\\\"a\\\"@inner.example\"@own.example>")),
            ("@a.example,@b.example:u@own.example", Some("<u@own.example>")),
            ("u@[192.0.2.1]", Some("<u@[192.0.2.1]>")),
            ("a..b@docomo.example", Some("<a..b@docomo.example>")),
            ("PostMaster", Some("<postmaster>")),
            ("", None),
            ("alice", None),
            ("@own.example", None),
            ("alice@", None),
            ("alice@own.example>", None),
            ("<alice@own.example>", None),
            ("a\rb@own.example", None),
            ("@a.example,u@own.example", None),
        ];
        for (text, expected) in table {
            let path = forward(text.as_bytes()).map(|parsed| parsed.path.to_string()).ok();
            assert_eq!(path.as_deref(), expected, "{text}");
        }
        assert_eq!(forward(b"al\xffice@own.example"), Err(AddressError::Encoding));
        assert!(forward(b"@a.example:u@own.example").is_ok_and(|parsed| parsed.had_source_route));
    }

    #[test]
    fn reverse_paths() {
        let table = [
            ("", Some("<>")),
            ("alice@own.example", Some("<alice@own.example>")),
            ("al ice@own.example", Some("<\"al ice\"@own.example>")),
            ("@r.example:u@own.example", Some("<u@own.example>")),
            ("root", None),
            ("<>", None),
        ];
        for (text, expected) in table {
            assert_eq!(reverse(text.as_bytes()).map(|path| path.to_string()).ok().as_deref(), expected, "{text}");
        }
    }

    proptest::proptest! {
        /// The host is judged that the mail server sends to.
        #[test]
        fn the_host_is_the_last_one(local_part in "[ -~]{1,20}", domain in "[a-z]{1,10}\\.example") {
            let text = format!("{local_part}@{domain}");
            if let Ok(parsed) = forward(text.as_bytes())
                && let Some(mailbox) = parsed.path.mailbox()
            {
                proptest::prop_assert_eq!(mailbox.host.to_string(), domain);
            }
        }
    }
}
