//! The journal's octets, without the file:
//!
//! | octets | |
//! |---|---|
//! | 4,096 | front: format and version; at 512 and 1,024 a seal each |
//! | 24 | frame: magic, length of what follows, sequence number from 1, checksum (CRC-64/XZ) over both and what follows |
//! | length | the changes of one group, see `record` |
//!
//! A seal is a length of the file with its checksum. All frames before it were on disk when it was written, so
//! nothing is missing there for any other cause than damage. The two seals are written in turn: one may be torn.

use crc::{CRC_64_XZ, Crc, Table};

/// Where the frames begin.
pub(crate) const FRONT_OCTETS: usize = 4_096;
/// In front of each group.
pub(crate) const HEAD_OCTETS: usize = 24;
/// Longest group that is read. See `writer` for why none is longer.
pub(crate) const GROUP_OCTETS_MAX: usize = 16 << 20;
/// In no login: its first octet is in no UTF-8.
pub(crate) const MAGIC: [u8; 4] = [0xF5, b'j', b's', 0x0A];

const FORMAT: [u8; 16] = *b"sekisho state 4\n";
/// The versions before, which knew no bans and the older no networks; they are read.
const FORMER: [[u8; 16]; 2] = [*b"sekisho state 3\n", *b"sekisho state 2\n"];
/// With what each version begins.
const FAMILY: &[u8] = b"sekisho state ";
const SEALS: [usize; 2] = [512, 1_024];
const SEAL_OCTETS: usize = 16;

/// What stands in front of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) octets: u32,
    pub(crate) sequence: u64,
    sum: u64,
}

impl Head {
    /// `None` if it is no head.
    pub(crate) fn decode(head: &[u8; HEAD_OCTETS]) -> Option<Self> {
        let (magic, rest) = head.split_first_chunk::<4>()?;
        let (octets, rest) = rest.split_first_chunk::<4>()?;
        let (sequence, sum) = rest.split_first_chunk::<8>()?;
        let head = Self {
            octets: u32::from_le_bytes(*octets),
            sequence: u64::from_le_bytes(*sequence),
            sum: u64::from_le_bytes(sum.try_into().ok()?),
        };
        (*magic == MAGIC && head.octets as usize <= GROUP_OCTETS_MAX).then_some(head)
    }

    /// Whether the group is the one that was written.
    pub(crate) fn fits(&self, group: &[u8]) -> bool {
        group.len() == self.octets as usize && checksum(self.octets, self.sequence, group) == self.sum
    }
}

/// Writes the head of a frame into its first 24 octets.
pub(crate) fn finish(frame: &mut [u8], sequence: u64) {
    let Some((head, group)) = frame.split_first_chunk_mut::<HEAD_OCTETS>() else { return };
    let octets = u32::try_from(group.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&octets.to_le_bytes());
    head[8..16].copy_from_slice(&sequence.to_le_bytes());
    head[16..].copy_from_slice(&checksum(octets, sequence, group).to_le_bytes());
}

/// A new file's front.
pub(crate) fn front(sealed: u64) -> [u8; FRONT_OCTETS] {
    let mut front = [0; FRONT_OCTETS];
    front[..FORMAT.len()].copy_from_slice(&FORMAT);
    for turn in 0..SEALS.len() {
        let (place, seal) = seal(turn, sealed);
        front[place..place + SEAL_OCTETS].copy_from_slice(&seal);
    }
    front
}

/// The seal of a turn, and where it stands.
pub(crate) fn seal(turn: usize, sealed: u64) -> (usize, [u8; SEAL_OCTETS]) {
    let mut seal = [0; SEAL_OCTETS];
    seal[..8].copy_from_slice(&sealed.to_le_bytes());
    seal[8..].copy_from_slice(&sum(&[&sealed.to_le_bytes()]).to_le_bytes());
    (SEALS[turn % SEALS.len()], seal)
}

/// What a front says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Front {
    /// How much of the file is sealed.
    pub(crate) sealed: u64,
    /// Whether it is of this version; one of the former is written anew before anything is added to it.
    pub(crate) is_current: bool,
}

/// What a front says, or what is wrong with it.
pub(crate) fn read_front(front: &[u8; FRONT_OCTETS]) -> Result<Front, String> {
    let format = &front[..FORMAT.len()];
    if format != FORMAT && !FORMER.iter().any(|former| format == former) {
        return Err(match format.strip_prefix(FAMILY) {
            Some(version) => format!("it is of version {}, which this one does not read", version.escape_ascii()),
            None => "it does not begin like a journal".to_owned(),
        });
    }
    let sealed = SEALS.iter().filter_map(|place| read_seal(&front[*place..place + SEAL_OCTETS]));
    let sealed = sealed.max().ok_or("neither of its seals can be read")?;
    Ok(Front { sealed, is_current: format == FORMAT })
}

fn read_seal(seal: &[u8]) -> Option<u64> {
    let (sealed, written) = seal.split_first_chunk::<8>()?;
    (sum(&[sealed]).to_le_bytes() == *written).then(|| u64::from_le_bytes(*sealed))
}

fn checksum(octets: u32, sequence: u64, group: &[u8]) -> u64 {
    sum(&[&octets.to_le_bytes(), &sequence.to_le_bytes(), group])
}

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

fn sum(parts: &[&[u8]]) -> u64 {
    let mut digest = CRC.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_check_value() {
        assert_eq!(sum(&[b"123456789"]), 0x995D_C9BB_DF19_39FA);
    }

    #[test]
    fn a_front_has_two_seals_and_needs_one() {
        let mut octets = front(5_000);
        let sealed = |octets: &[u8; FRONT_OCTETS]| read_front(octets).map(|front| front.sealed);
        assert_eq!(sealed(&octets), Ok(5_000));
        let (place, later) = seal(1, 6_000);
        octets[place..place + SEAL_OCTETS].copy_from_slice(&later);
        assert_eq!(sealed(&octets), Ok(6_000));
        octets[place + 1] ^= 1;
        assert_eq!(sealed(&octets), Ok(5_000), "a torn seal");
        octets[SEALS[0]] ^= 1;
        assert!(read_front(&octets).is_err());
        octets[0] ^= 1;
        assert!(read_front(&octets).is_err());
        assert!(read_front(&[0; FRONT_OCTETS]).is_err());
    }

    #[test]
    fn t37_a_front_says_its_version() {
        let mut octets = front(5_000);
        let table = [(b'4', Some(true)), (b'3', Some(false)), (b'2', Some(false)), (b'1', None), (b'5', None)];
        for (version, expected) in table {
            octets[FAMILY.len()] = version;
            assert_eq!(read_front(&octets).ok().map(|front| front.is_current), expected, "{}", char::from(version));
        }
        assert!(read_front(&octets).unwrap_err().contains("version 5"));
    }

    proptest! {
        #[test]
        fn a_sum_does_not_mind_how_it_is_split(octets: Vec<u8>, at: prop::sample::Index) {
            let (head, tail) = octets.split_at(at.index(octets.len() + 1));
            prop_assert_eq!(sum(&[head, tail]), sum(&[&octets]));
        }

        #[test]
        fn a_changed_bit_is_seen(group in prop::collection::vec(any::<u8>(), 0..300), sequence: u64, at: prop::sample::Index, bit in 0u8..8) {
            let mut frame = vec![0; HEAD_OCTETS];
            frame.extend_from_slice(&group);
            finish(&mut frame, sequence);
            let whole = |frame: &[u8]| {
                let (head, group) = frame.split_first_chunk().unwrap();
                Head::decode(head).filter(|head| head.fits(group)).map(|head| head.sequence)
            };
            prop_assert_eq!(whole(&frame), Some(sequence));
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            prop_assert_eq!(whole(&frame), None);
        }
    }
}
