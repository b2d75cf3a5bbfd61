//! What a greeting name says, by its form and beside what is known of the client. No look-up is made for it.

use std::net::IpAddr;

use smtp::address::{Domain, Host};

/// Names that no host in the Internet has (RFC 6761 §6.3, §6.4), and what resolvers make of a machine that has none.
const NOBODY: [&str; 3] = ["localhost", "localdomain", "invalid"];

/// Whether it is neither a fully qualified name nor an address literal (RFC 5321 §4.1.1.1).
pub fn is_invalid(helo: &str) -> bool {
    match Host::parse(helo) {
        Ok(Host::Literal(_)) => false,
        Ok(Host::Domain(name)) => match name.as_str().rsplit_once('.') {
            Some((_, top)) => NOBODY.contains(&top),
            None => true,
        },
        Ok(Host::Other(_)) | Err(_) => true,
    }
}

/// Whether it is one of these names or a literal of one of these addresses.
pub fn is_one_of(helo: &str, names: &[Domain], mut address: impl FnMut(IpAddr) -> bool) -> bool {
    match Host::parse(helo) {
        Ok(Host::Literal(ip)) => address(ip),
        Ok(Host::Domain(name)) => names.contains(&name),
        // An address without its brackets.
        Ok(Host::Other(_)) | Err(_) => helo.parse().is_ok_and(address),
    }
}

/// Whether it says something else of the client than is known: a literal of another address, or a name that has no domain in
/// common with the client's own. What is no name is not looked at here.
pub fn differs(helo: &str, client: IpAddr, confirmed: Option<&str>) -> bool {
    match (Host::parse(helo), confirmed) {
        (Ok(Host::Literal(ip)), _) => ip.to_canonical() != client.to_canonical(),
        (Ok(Host::Domain(name)), Some(confirmed)) => !is_related(name.as_str(), confirmed),
        _ => false,
    }
}

/// Whether two names have their last two labels in common.
fn is_related(one: &str, other: &str) -> bool {
    let end = |name: &'_ str| -> Option<usize> { name.rmatch_indices('.').nth(1).map(|(at, _)| at + 1) };
    let last_two = |name| end(name).map_or(name.len(), |at| name.len() - at);
    let (one_end, other_end) = (&one[one.len() - last_two(one)..], &other[other.len() - last_two(other)..]);
    one_end.eq_ignore_ascii_case(other_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for valid in ["mail.example.com", "a_b.example", "[192.0.2.7]", "[IPv6:2001:db8::7]", "exch01.company.local"] {
            assert!(!is_invalid(valid), "{valid}");
        }
        for invalid in ["localhost", "PC-7", "192.0.2.7", "localhost.localdomain", "a b.example", "[x]", "", "2. OG"] {
            assert!(is_invalid(invalid), "{invalid}");
        }
    }

    #[test]
    fn our_own_name() {
        let names = [Domain::parse("mail.example.test").unwrap()];
        let own = |ip: IpAddr| ip.to_string() == "192.0.2.25";
        for helo in ["MAIL.example.test", "[192.0.2.25]", "192.0.2.25"] {
            assert!(is_one_of(helo, &names, own), "{helo}");
        }
        for helo in ["example.test", "x.mail.example.test", "[192.0.2.26]", "mail"] {
            assert!(!is_one_of(helo, &names, own), "{helo}");
        }
    }

    #[test]
    fn beside_the_client() {
        let client: IpAddr = "192.0.2.7".parse().unwrap();
        let table = [
            ("[192.0.2.7]", None, false),
            ("[192.0.2.8]", None, true),
            ("[IPv6:::ffff:192.0.2.7]", None, false),
            ("mail.example.com", None, false),
            ("mail.example.com", Some("out7.example.com"), false),
            ("example.com", Some("out7.example.com"), false),
            ("mail.example.com", Some("a.example.net"), true),
            ("mail.example.com", Some("com"), true),
            ("pc", Some("pc"), false),
            ("a b", Some("a.example.net"), false),
        ];
        for (helo, confirmed, expected) in table {
            assert_eq!(differs(helo, client, confirmed), expected, "{helo} {confirmed:?}");
        }
    }
}
