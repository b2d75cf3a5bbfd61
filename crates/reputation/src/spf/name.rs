//! Names of domains as SPF asks for them (RFC 7208 §4.3, §4.8, §7.3).

/// Longest label of a name (RFC 1035 §2.3.4).
const LABEL_OCTETS_MAX: usize = 63;
/// Longest name.
pub(super) const NAME_OCTETS_MAX: usize = 253;

/// A fully qualified name that DNS can be asked for. Macros put into a label whatever can be written, blanks as well; what is not
/// ASCII is no name (RFC 8616 §4).
pub(super) fn is_name(name: &str) -> bool {
    let label = |label: &str| (1..=LABEL_OCTETS_MAX).contains(&label.len());
    let written = |octet| matches!(octet, b' '..=b'~');
    let whole = name.len() <= NAME_OCTETS_MAX && name.contains('.') && !name.starts_with('[');
    whole && name.bytes().all(written) && name.split('.').all(label)
}

/// A name of any length, cut to the longest that may be: labels go from the left.
pub(super) fn cut(name: &str) -> &str {
    let mut rest = name;
    while rest.len() > NAME_OCTETS_MAX {
        rest = rest.split_once('.').map_or("", |(_, below)| below);
    }
    rest
}

/// Whether a name is this domain, or below it.
pub(super) fn is_within(name: &str, domain: &str) -> bool {
    let Some((before, end)) = name.len().checked_sub(domain.len()).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dns_can_be_asked_for() {
        for name in
            ["d.example", "foo:bar/baz.example", "macro%percent  space.example", &format!("{}.a", "a".repeat(63))]
        {
            assert!(is_name(name), "{name}");
        }
        let long = "a.".repeat(127) + "a";
        for name in ["", "example", "a..b", ".a.b", "a.b.", "[192.0.2.1]", "é.example", "a\n.example", &long] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&format!("{}.a", "a".repeat(64))));
    }

    #[test]
    fn labels_go_from_the_left() {
        assert_eq!(cut("d.example"), "d.example");
        let long = "abc.".repeat(70) + "end";
        let expected = "abc.".repeat(62) + "end";
        assert_eq!(cut(&long), expected);
        assert_eq!(cut(&"a".repeat(254)), "");
    }

    #[test]
    fn what_is_within_a_domain() {
        for (name, domain, expected) in [
            ("D.example", "d.Example", true),
            ("mx.d.example", "d.example", true),
            ("mxd.example", "d.example", false),
            ("example", "d.example", false),
            ("é.example", "é.example", true),
            ("aé", "x", false),
        ] {
            assert_eq!(is_within(name, domain), expected, "{name} {domain}");
        }
    }
}
