//! Which keys a segment can have: a Bloom filter of one size. It may say yes for a key that is not there, never no for one that is.

use crate::keys::Key;

/// Octets of a filter. Of a full segment (about ten thousand records with five keys of their own) one in fifty answers is wrong.
pub(crate) const OCTETS: usize = 64 << 10;
const BITS: u64 = (OCTETS as u64) * 8;
/// Bits of one key.
const HASHES: u64 = 4;

/// The keys of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Box<[u8]>);

impl Default for Filter {
    fn default() -> Self {
        Self(vec![0; OCTETS].into())
    }
}

impl Filter {
    /// As it was written; `None` if it has another size.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        (octets.len() == OCTETS).then(|| Self(octets.into()))
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn add(&mut self, key: Key) {
        for bit in bits(key) {
            if let Some(octet) = self.0.get_mut(bit / 8) {
                *octet |= 1 << (bit % 8);
            }
        }
    }

    /// Whether the key can be there.
    pub(crate) fn may_have(&self, key: Key) -> bool {
        bits(key).all(|bit| self.0.get(bit / 8).is_some_and(|octet| octet & (1 << (bit % 8)) != 0))
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// Two halves of one hash make all (Kirsch and Mitzenmacher).
fn bits(key: Key) -> impl Iterator<Item = usize> {
    let (first, second) = (key.0 >> 32, key.0 | 1);
    (0..HASHES)
        .map(move |n| first.wrapping_add(n.wrapping_mul(second)) % BITS)
        .map(|bit| usize::try_from(bit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Kind;

    #[test]
    fn what_is_there_is_never_denied_and_little_else_is_found() {
        let mut filter = Filter::default();
        let key = |n: u32| Key::new(Kind::Id, &n.to_string());
        (0..50_000).for_each(|n| filter.add(key(n)));
        assert!((0..50_000).all(|n| filter.may_have(key(n))));
        let wrong = (50_000..60_000).filter(|n| filter.may_have(key(*n))).count();
        assert!(wrong < 500, "{wrong} of 10,000");
        let again = Filter::read(filter.octets()).unwrap();
        assert!(again == filter && Filter::read(&[0]).is_none());
        filter.clear();
        assert_eq!(filter, Filter::default());
    }
}
