//! XXH64: fast enough to be forgotten on the accept path.
//!
//! It tells torn and rotten records from whole ones; it is no protection against a forger. The form on disk is founded on it:
//! another sum is another form.

use std::hash::Hasher as _;

use twox_hash::XxHash64;

/// A running checksum; octets may come in any split.
#[derive(Clone)]
pub(crate) struct Checksum(XxHash64);

impl Checksum {
    pub(crate) fn new(seed: u64) -> Self {
        Self(XxHash64::with_seed(seed))
    }

    pub(crate) fn update(&mut self, octets: &[u8]) {
        self.0.write(octets);
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// The checksum of one slice.
pub(crate) fn checksum(seed: u64, octets: &[u8]) -> u64 {
    XxHash64::oneshot(seed, octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_vectors() {
        for (text, expected) in
            [("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999)]
        {
            assert_eq!(checksum(0, text.as_bytes()), expected, "{text:?}");
        }
        let long = "Nobody inspects the spammish repetition";
        assert_eq!(checksum(0, long.as_bytes()), 0xFBCE_A83C_8A37_8BF1);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_sum(octets in proptest::collection::vec(any::<u8>(), 0..300), cuts in proptest::collection::vec(0usize..300, 0..5), seed in any::<u64>()) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
            cuts.sort_unstable();
            let mut sum = Checksum::new(seed);
            let mut from = 0;
            for cut in cuts {
                sum.update(&octets[from..cut]);
                from = cut;
            }
            sum.update(&octets[from..]);
            prop_assert_eq!(sum.finish(), checksum(seed, &octets));
        }
    }
}
