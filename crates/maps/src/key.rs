//! Keys: how they are made comparable, and which shorter ones stand for more.

use std::borrow::Cow;
use std::iter;

/// The same for all ways of writing a key in upper and lower case: Unicode's case folding, as Postfix does it where
/// SMTPUTF8 is on. What comes out is for comparing, not for showing.
pub(crate) fn fold(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(key)
    } else if key.is_ascii() {
        Cow::Owned(key.to_ascii_lowercase())
    } else {
        Cow::Owned(key.chars().flat_map(folded).collect())
    }
}

/// A character's full case folding, up to the choice of the one that stands for all: lower, upper, lower makes ß and ẞ
/// `ss`, and both sigmas one. Only the dotless ı must not become the i that its upper case is shared with.
fn folded(c: char) -> impl Iterator<Item = char> {
    let lower = c.to_lowercase();
    let dotless = c == 'ı';
    lower.flat_map(move |l| {
        let upper: Vec<char> = if dotless { vec![l] } else { l.to_uppercase().collect() };
        upper.into_iter().flat_map(move |u| if dotless { vec![u] } else { u.to_lowercase().collect() })
    })
}

/// An address as it is written, and then without its last part, over and over: `2001:db8::1`, `2001:db8:`, `2001:db8`.
pub(crate) fn address_prefixes(address: &str) -> impl Iterator<Item = &str> {
    let delimiter = if address.contains(':') { ':' } else { '.' };
    iter::successors(Some(address), move |longer| Some(longer.rsplit_once(delimiter)?.0))
}

/// A domain, and those above it.
pub(crate) fn domain_and_parents(domain: &str) -> impl Iterator<Item = &str> {
    iter::successors(Some(domain), |below| Some(below.split_once('.')?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_of_writing_one_key_are_one() {
        for (a, b) in [("AbC@X.Org", "abc@x.org"), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("ÄÖ", "äö")]
        {
            assert_eq!(fold(a), fold(b), "{a}");
        }
        assert_ne!(fold("ı"), fold("i"));
        assert!(matches!(fold("abc"), Cow::Borrowed(_)));
    }

    #[test]
    fn shorter_keys_follow_the_whole() {
        let prefixes = |address| address_prefixes(address).collect::<Vec<_>>();
        assert_eq!(prefixes("1.2.3"), ["1.2.3", "1.2", "1"]);
        assert_eq!(prefixes("2001:db8::1"), ["2001:db8::1", "2001:db8:", "2001:db8", "2001"]);
        assert_eq!(domain_and_parents("a.b.c").collect::<Vec<_>>(), ["a.b.c", "b.c", "c"]);
    }
}
