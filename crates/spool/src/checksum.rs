//! XXH64, after the published description of the algorithm: fast enough to be forgotten on the accept path.
//!
//! It tells torn and rotten records from whole ones; it is no protection against a forger.

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;
const STRIPE: usize = 32;

/// A running checksum; octets may come in any split.
#[derive(Clone)]
pub(crate) struct Checksum {
    lanes: [u64; 4],
    rest: [u8; STRIPE],
    rest_octets: usize,
    total_octets: u64,
    seed: u64,
}

impl Checksum {
    pub(crate) fn new(seed: u64) -> Self {
        let lanes = [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
        Self { lanes, rest: [0; STRIPE], rest_octets: 0, total_octets: 0, seed }
    }

    pub(crate) fn update(&mut self, mut octets: &[u8]) {
        self.total_octets += octets.len() as u64;
        if self.rest_octets > 0 {
            let taken = octets.len().min(STRIPE - self.rest_octets);
            self.rest[self.rest_octets..self.rest_octets + taken].copy_from_slice(&octets[..taken]);
            self.rest_octets += taken;
            octets = &octets[taken..];
            if self.rest_octets < STRIPE {
                return;
            }
            let stripe = self.rest;
            self.stripe(&stripe);
            self.rest_octets = 0;
        }
        let mut stripes = octets.chunks_exact(STRIPE);
        for stripe in &mut stripes {
            self.stripe(stripe);
        }
        let rest = stripes.remainder();
        self.rest[..rest.len()].copy_from_slice(rest);
        self.rest_octets = rest.len();
    }

    fn stripe(&mut self, stripe: &[u8]) {
        for (lane, word) in self.lanes.iter_mut().zip(stripe.chunks_exact(8)) {
            *lane = round(*lane, word64(word));
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        let mut sum = if self.total_octets >= STRIPE as u64 {
            let [a, b, c, d] = self.lanes;
            let mixed = a
                .rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18));
            self.lanes.iter().fold(mixed, |sum, lane| (sum ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4))
        } else {
            self.seed.wrapping_add(P5)
        };
        sum = sum.wrapping_add(self.total_octets);
        avalanche(tail(sum, &self.rest[..self.rest_octets]))
    }
}

/// The checksum of one slice.
pub(crate) fn checksum(seed: u64, octets: &[u8]) -> u64 {
    let mut sum = Checksum::new(seed);
    sum.update(octets);
    sum.finish()
}

fn word64(octets: &[u8]) -> u64 {
    octets.iter().rev().fold(0, |word, octet| (word << 8) | u64::from(*octet))
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

fn tail(mut sum: u64, rest: &[u8]) -> u64 {
    let mut words = rest.chunks_exact(8);
    for word in &mut words {
        sum = (sum ^ round(0, word64(word))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let mut halves = words.remainder().chunks_exact(4);
    for half in &mut halves {
        sum = (sum ^ word64(half).wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
    }
    for octet in halves.remainder() {
        sum = (sum ^ u64::from(*octet).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    sum
}

fn avalanche(mut sum: u64) -> u64 {
    sum = (sum ^ (sum >> 33)).wrapping_mul(P2);
    sum = (sum ^ (sum >> 29)).wrapping_mul(P3);
    sum ^ (sum >> 32)
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
