//! What a key asks about. A key that is none of ours is found nowhere: Postfix tries names, parts of addresses and parts of
//! networks one after the other.

use std::net::IpAddr;

use mta::address;
use smtp::address::ForwardPathParse;
use smtp::{ForwardPath, ReversePath};

/// What map `relay` is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relaying {
    /// `ADDR`.
    Address(IpAddr),
    /// `ADDR SENDER RECIPIENT`.
    Mail(Relayed),
}

/// A recipient that somebody wants to relay to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relayed {
    /// The client.
    pub(super) ip: IpAddr,
    pub(super) reverse_path: ReversePath,
    pub(super) forward: ForwardPathParse,
}

/// The address at the beginning of a key: up to the first blank.
pub(super) fn first_address(key: &[u8]) -> Option<IpAddr> {
    let end = key.iter().position(|&octet| octet == b' ').unwrap_or(key.len());
    address::parse(&key[..end])
}

/// `ADDR`, `ADDR SENDER RECIPIENT`, or, as sendmail writes it, `ADDR<SENDER><RECIPIENT>`.
pub(super) fn relaying(key: &[u8]) -> Option<Relaying> {
    let end = key.iter().position(|&octet| matches!(octet, b' ' | b'<')).unwrap_or(key.len());
    let ip = address::parse(&key[..end])?;
    let rest = str::from_utf8(&key[end..]).ok()?.trim_matches(' ');
    if rest.is_empty() {
        return Some(Relaying::Address(ip));
    }
    let (reverse_path, rest) = sender(rest)?;
    Some(Relaying::Mail(Relayed { ip, reverse_path, forward: forward(rest.trim_start_matches(' '))? }))
}

fn sender(text: &str) -> Option<(ReversePath, &str)> {
    if text.starts_with('<') {
        return ReversePath::parse_prefix(text).ok();
    }
    let (word, rest) = word(text)?;
    Some((ReversePath::parse(&format!("<{word}>")).ok()?, rest))
}

fn forward(text: &str) -> Option<ForwardPathParse> {
    if text.starts_with('<') { ForwardPath::parse(text).ok() } else { ForwardPath::parse(&format!("<{text}>")).ok() }
}

/// Up to the first blank that stands in no quotes.
fn word(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.bytes().position(|octet| {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' => return !quoted,
            _ => {}
        }
        false
    });
    text.split_at_checked(end?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str) -> String {
        match relaying(key.as_bytes()) {
            None => "-".to_owned(),
            Some(Relaying::Address(ip)) => ip.to_string(),
            Some(Relaying::Mail(Relayed { ip, reverse_path: from, forward: to })) => {
                format!("{ip} {from} {}{}", to.path, if to.had_source_route { " routed" } else { "" })
            }
        }
    }

    #[test]
    fn keys_of_the_map_relay() {
        let table = [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("IPv6:2001:db8::1", "2001:db8::1"),
            ("IPv6:2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7 ", "192.0.2.7"),
            ("192.0.2", "-"),
            ("127", "-"),
            ("2001:db8", "-"),
            ("client.example.net", "-"),
            ("unknown", "-"),
            ("", "-"),
            (
                "192.0.2.7<alice@example.test><friend@outside.example>",
                "192.0.2.7 <alice@example.test> <friend@outside.example>",
            ),
            ("2001:db8:0:0:0:0:0:1<><friend@outside.example>", "2001:db8::1 <> <friend@outside.example>"),
            ("192.0.2.7 <a@example.test> <b@outside.example>", "192.0.2.7 <a@example.test> <b@outside.example>"),
            (
                "192.0.2.7<\"al ice\"@own.example><\"a b\"@outside.example>",
                "192.0.2.7 <\"al ice\"@own.example> <\"a b\"@outside.example>",
            ),
            ("192.0.2.7<alice><@r.example,@s.example:u@o.example>", "-"),
            (
                "192.0.2.7<a@own.example><@r.example,@s.example:u@o.example>",
                "192.0.2.7 <a@own.example> <u@o.example> routed",
            ),
            ("192.0.2.7 a@own.example b@outside.example", "192.0.2.7 <a@own.example> <b@outside.example>"),
            ("192.0.2.7 <> b@outside.example", "192.0.2.7 <> <b@outside.example>"),
            (
                "192.0.2.7 \"a \\\" b\"@own.example \"c d\"@outside.example",
                "192.0.2.7 <\"a \\\" b\"@own.example> <\"c d\"@outside.example>",
            ),
            ("192.0.2.7 a@own.example", "-"),
            ("192.0.2.7 <a@own.example>", "-"),
            ("192.0.2.7<a@own.example><>", "-"),
            ("192.0.2.7<a@own.example><b@outside.example> c", "-"),
            ("192.0.2.7<a@own.example><b@outside.example", "-"),
            ("192.0.2.7 a@own.example b@outside.example c@outside.example", "-"),
            ("192.0.2<a@own.example><b@outside.example>", "-"),
        ];
        for (key, expected) in table {
            assert_eq!(told(key), expected, "{key}");
        }
        assert_eq!(relaying(b"192.0.2.7<a\xff@own.example><b@outside.example>"), None);
    }

    #[test]
    fn the_address_of_a_connection() {
        let table = [
            ("192.0.2.7", true),
            ("192.0.2.7 client.example.net", true),
            ("IPv6:2001:db8::1 c", true),
            ("c 192.0.2.7", false),
            ("", false),
        ];
        for (key, found) in table {
            assert_eq!(first_address(key.as_bytes()).is_some(), found, "{key}");
        }
    }
}
