//! Names as the directory keeps them: logins, local addresses and domains in lower case. Which text is an address in a
//! protocol is the protocol's grammar; here stand the stricter rules for names that an operator gives.

use std::borrow::Cow;

use ipnet::IpNet;

use crate::error::DirectoryError;

/// Longest name that is looked up, in octets: a local part, `@` and a domain at their longest, with some room.
pub(crate) const NAME_OCTETS_MAX: usize = 384;
const LOCAL_PART_OCTETS_MAX: usize = 64;
const DOMAIN_OCTETS_MAX: usize = 253;
const DEVICE_NAME_OCTETS_MAX: usize = 32;
/// What a percent sign in a login without an at sign does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Percent {
    /// It is a sign like others.
    #[default]
    Stays,
    /// It parts user and domain, for clients that send no at sign in a login.
    PartsDomain,
}

/// Signs that would make a local part an address in itself, or need quoting; see RFC 5321 §4.1.2.
const LOCAL_PART_REFUSED: &[char] = &['"', '(', ')', ',', ':', ';', '<', '>', '@', '[', ']', '\\', '%', '!'];

type Result<T> = std::result::Result<T, DirectoryError>;

/// Local part and domain: the domain is what stands behind the last `@`.
pub(crate) fn split(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@')
}

/// A domain in A-labels, by which it is kept and compared (UTS #46); `None`: it is none.
fn a_labels(domain: &str) -> Option<Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(Cow::Borrowed(domain));
    }
    idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).ok()
}

/// The name under which a login is looked up; `None` if no login can read so. A bare user gets the default domain, and its
/// domain may be typed in Unicode. What stands behind a percent sign is the domain where `percent` says so: no local part
/// of ours has one.
pub(crate) fn login(written: &str, default_domain: &str, percent: Percent) -> Option<String> {
    if written.is_empty() || written.len() > NAME_OCTETS_MAX || written.chars().any(char::is_control) {
        return None;
    }
    let mut name = written.to_ascii_lowercase();
    if percent == Percent::PartsDomain
        && let Some((user, domain)) = name.rsplit_once('%').filter(|_| !name.contains('@'))
    {
        name = format!("{user}@{domain}");
    }
    if let Some((user, domain)) = split(&name).filter(|(_, domain)| !domain.is_ascii()) {
        name = format!("{user}@{}", a_labels(domain)?);
    }
    if !name.contains('@') {
        if default_domain.is_empty() {
            return None;
        }
        name.push('@');
        name.push_str(default_domain);
    }
    Some(name)
}

/// A domain that may be hosted: A-labels, at least one label, no trailing dot.
pub(crate) fn domain(written: &str) -> Result<String> {
    let refuse = |why| Err(DirectoryError::invalid("domain", written, why));
    let Some(name) = a_labels(written).filter(|_| written.len() <= 4 * DOMAIN_OCTETS_MAX) else {
        return refuse("it is not a valid internationalised name");
    };
    let name = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > DOMAIN_OCTETS_MAX {
        return refuse("1 to 253 octets are wanted");
    }
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(label_is_good) {
        return refuse("labels of letters, digits and hyphens with single dots between are wanted");
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|octet| octet.is_ascii_digit())) {
        return refuse("an address literal is no domain");
    }
    Ok(name)
}

/// An address given by the operator: `local@domain`, or `local` with the default domain. Its domain comes in lower case,
/// its local part as written.
pub(crate) fn address(written: &str, default_domain: &str) -> Result<(String, String)> {
    let (local, host) = split(written).unwrap_or((written, default_domain));
    let refuse = |why| Err(DirectoryError::invalid("address", written, why));
    if local.is_empty() || local.len() > LOCAL_PART_OCTETS_MAX {
        return refuse("a local part of 1 to 64 octets is wanted");
    }
    if local.chars().any(|sign| sign.is_control() || sign.is_whitespace() || LOCAL_PART_REFUSED.contains(&sign)) {
        return refuse("the local part has a sign that would need quoting or make it a route");
    }
    Ok((local.to_owned(), domain(host)?))
}

/// The name of a device: it becomes a part of its login.
pub(crate) fn device(written: &str) -> Result<String> {
    let name = written.to_ascii_lowercase();
    let good = (1..=DEVICE_NAME_OCTETS_MAX).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if good {
        Ok(name)
    } else {
        Err(DirectoryError::invalid("device", written, "1 to 32 letters, digits, - and _ are wanted"))
    }
}

/// A network in CIDR form, or one address. Host bits are refused: what was meant is not clear then.
pub(crate) fn network(written: &str) -> Result<IpNet> {
    let refuse = |why| DirectoryError::invalid("network", written, why);
    if let Ok(addr) = written.parse::<std::net::IpAddr>() {
        return Ok(IpNet::from(addr.to_canonical()));
    }
    let net: IpNet = written.parse().map_err(|_| refuse("ADDRESS or ADDRESS/LENGTH is wanted"))?;
    if net.trunc() == net { Ok(net) } else { Err(refuse("it has host bits behind the mask")) }
}

/// Where an account's mail lies, relative to the mail directory: `domain/local`, every unusual octet as `=XX`.
pub(crate) fn maildir(local: &str, domain: &str) -> String {
    use std::fmt::Write;
    let mut path = String::with_capacity(domain.len() + 1 + local.len());
    path.push_str(domain);
    path.push('/');
    for (index, octet) in local.bytes().enumerate() {
        let plain =
            octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'+') || (octet == b'.' && index > 0);
        if plain {
            path.push(char::from(octet));
        } else {
            // Writing to a String does not fail.
            let _ = write!(path, "={octet:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bare_user_means_the_default_domain_and_case_is_folded() {
        let login = |written: &str, default_domain| login(written, default_domain, Percent::Stays);
        assert_eq!(login("Alice", "example.test").as_deref(), Some("alice@example.test"));
        assert_eq!(login("Alice@Other.Test", "example.test").as_deref(), Some("alice@other.test"));
        assert_eq!(login("Taro@\u{4f8b}\u{3048}.Test", "").as_deref(), Some("taro@xn--r8jz45g.test"));
        assert_eq!(login("taro@\u{4f8b}\u{3048} .test", ""), login("taro@\u{4f8b}\u{3048} .test", "x"));
        assert_eq!(login("", "example.test"), None);
        assert_eq!(login("a\0b", "example.test"), None);
        assert_eq!(login("alice", ""), None);
        assert_eq!(login(&"a".repeat(1000), "example.test"), None);
        assert_eq!(login("alice%other.test", "example.test").as_deref(), Some("alice%other.test@example.test"));
    }

    #[test]
    fn a_percent_sign_may_stand_for_the_at_sign_of_a_login() {
        let login = |written: &str| login(written, "example.test", Percent::PartsDomain);
        assert_eq!(login("Alice%Other.test").as_deref(), Some("alice@other.test"));
        assert_eq!(login("alice").as_deref(), Some("alice@example.test"));
        assert_eq!(login("alice%other.test@example.test").as_deref(), Some("alice%other.test@example.test"));
        assert_eq!(login("a%b%other.test").as_deref(), Some("a%b@other.test"));
    }

    #[test]
    fn domains() {
        assert_eq!(domain("\u{4f8b}\u{3048}.test").as_deref().ok(), Some("xn--r8jz45g.test"));
        assert_eq!(domain("\u{4f8b}\u{3048}\u{3002}test").as_deref().ok(), Some("xn--r8jz45g.test"));
        for good in ["example.test", "EXAMPLE.test", "xn--eckwd4c7c.test", "a", "1.example", "a-b.c_d.test"] {
            assert!(domain(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a.test", "a-.test", "192.0.2.1", "[192.0.2.1]", "日 本.test", "a b", "a@b"]
        {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_that_are_routes_are_refused() {
        for bad in
            ["a%b@c.test", "a!b@c.test", "\"a@b\"@c.test", "a@b@c.test", "@c.test", "a b@c.test", "a:b@c.test", "a@"]
        {
            assert!(address(bad, "example.test").is_err(), "{bad}");
        }
        // Japanese mobile carriers gave these out (RFC 5321 would have them quoted).
        for good in ["a..b@c.test", "a.@c.test", ".a@c.test", "a+b=c@c.test", "日本@c.test"] {
            assert!(address(good, "example.test").is_ok(), "{good}");
        }
        assert_eq!(address("Bob", "example.test").unwrap(), ("Bob".to_owned(), "example.test".to_owned()));
    }

    #[test]
    fn networks() {
        for good in ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::ffff:192.0.2.1"] {
            assert!(network(good).is_ok(), "{good}");
        }
        assert_eq!(network("::ffff:192.0.2.1").unwrap().to_string(), "192.0.2.1/32");
        for bad in ["192.0.2.1/24", "192.0.2", "192.0.2.0/33", "", "example.test"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_maildir_never_leaves_its_domain(local in "\\PC{1,64}") {
            let path = maildir(&local, "example.test");
            let name = path.strip_prefix("example.test/").unwrap();
            prop_assert!(!name.contains('/') && !name.starts_with('.') && name.len() <= 255 * 3);
        }

        #[test]
        fn two_local_parts_never_share_a_maildir(one in "\\PC{1,20}", two in "\\PC{1,20}") {
            prop_assert_eq!(one == two, maildir(&one, "d.test") == maildir(&two, "d.test"));
        }
    }
}
