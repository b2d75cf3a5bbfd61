//! The octets of Berkeley DB 5.3 files: magic numbers, page types, where each field lies, the hash function. Facts only;
//! `read` and `write` use them.
//!
//! Every page starts with the same 26 octets: log sequence number (8), own page number (4), previous and next page (4 each),
//! number of items (2), lowest octet in use by items (2), level above the leaves (1), type (1). An array of 2-octet
//! offsets follows, one for each item; the items themselves grow from the end of the page towards it. Page 0 describes the
//! file instead (metadata).

/// Magic number of a btree file, at [`META_MAGIC`].
pub(super) const BTREE_MAGIC: u32 = 0x0005_3162;
/// Magic number of a hash file, at [`META_MAGIC`].
pub(super) const HASH_MAGIC: u32 = 0x0006_1561;
/// What version 5.3 writes for both kinds.
pub(super) const VERSION: u32 = 9;
/// Versions 3.1 to 6 of the library wrote these; the pages read here are the same in all of them.
pub(super) const BTREE_VERSIONS: std::ops::RangeInclusive<u32> = 8..=10;
/// Likewise; up to 8 the keys of a hash page are unsorted.
pub(super) const HASH_VERSIONS: std::ops::RangeInclusive<u32> = 7..=10;

/// Smallest page, in octets; the metadata fill one.
pub(super) const PAGE_OCTETS_MIN: u32 = 512;
/// Largest page, in octets.
pub(super) const PAGE_OCTETS_MAX: u32 = 65_536;

// The header of a page.
pub(super) const PAGE_NUMBER: usize = 8;
pub(super) const PAGE_PREVIOUS: usize = 12;
pub(super) const PAGE_NEXT: usize = 16;
pub(super) const PAGE_ITEMS: usize = 20;
pub(super) const PAGE_LOWEST: usize = 22;
pub(super) const PAGE_LEVEL: usize = 24;
pub(super) const PAGE_TYPE: usize = 25;
pub(super) const PAGE_HEADER_OCTETS: usize = 26;

// The metadata in page 0, after the first two fields of a header.
pub(super) const META_MAGIC: usize = 12;
pub(super) const META_VERSION: usize = 16;
pub(super) const META_PAGE_OCTETS: usize = 20;
pub(super) const META_ENCRYPTION: usize = 24;
pub(super) const META_BITS: usize = 26;
pub(super) const META_LAST_PAGE: usize = 32;
pub(super) const META_FLAGS: usize = 48;
pub(super) const META_FILE_ID: usize = 52;
// A btree's.
pub(super) const BTREE_MIN_KEYS: usize = 76;
pub(super) const BTREE_ROOT: usize = 88;
// A hash's.
pub(super) const HASH_MAX_BUCKET: usize = 72;
pub(super) const HASH_HIGH_MASK: usize = 76;
pub(super) const HASH_LOW_MASK: usize = 80;
pub(super) const HASH_KEYS: usize = 88;
pub(super) const HASH_CHECK: usize = 92;
pub(super) const HASH_SPARES: usize = 96;
pub(super) const HASH_SPARES_COUNT: usize = 32;

/// Bits of [`META_BITS`]: pages with checksums; the rest means a database in several files.
pub(super) const BIT_CHECKSUM: u8 = 1;

// Flags of a btree that change what its pages mean.
pub(super) const BTREE_FLAG_DUPLICATES: u32 = 0x41;
pub(super) const BTREE_FLAG_RECORD_NUMBERS: u32 = 0x02;
pub(super) const BTREE_FLAG_SEVERAL: u32 = 0x20;
pub(super) const BTREE_FLAG_COMPRESSED: u32 = 0x80;
// Flags of a hash.
pub(super) const HASH_FLAG_DUPLICATES: u32 = 0x05;
pub(super) const HASH_FLAG_SEVERAL: u32 = 0x02;

// Types of pages.
pub(super) const TYPE_NEVER_WRITTEN: u8 = 0;
pub(super) const TYPE_HASH_UNSORTED: u8 = 2;
pub(super) const TYPE_BTREE_INNER: u8 = 3;
pub(super) const TYPE_BTREE_LEAF: u8 = 5;
pub(super) const TYPE_OVERFLOW: u8 = 7;
pub(super) const TYPE_HASH_META: u8 = 8;
pub(super) const TYPE_BTREE_META: u8 = 9;
pub(super) const TYPE_HASH: u8 = 13;

// Types of items; a btree's top bit says deleted.
pub(super) const ITEM_HERE: u8 = 1;
pub(super) const ITEM_OVERFLOW: u8 = 3;
pub(super) const ITEM_DELETED: u8 = 0x80;

/// A btree leaf's item: length (2), type (1), octets.
pub(super) const LEAF_ITEM_OCTETS: usize = 3;
/// A btree inner page's item: length (2), type (1), unused (1), page (4), records (4), octets.
pub(super) const INNER_ITEM_OCTETS: usize = 12;
/// A reference to overflow pages: 4 octets that hold the type, first page (4), total length (4). Where the type lies
/// differs: first in a hash, third in a btree.
pub(super) const OVERFLOW_ITEM_OCTETS: usize = 12;

/// Hashed with each file's function into [`HASH_CHECK`], so that nobody reads it with another; the NUL belongs to it.
pub(super) const CHECK_KEY: &[u8] = b"%$sniglet^&\0";

/// The hash function of files since version 5: Fowler, Noll and Vo's, started at 0.
pub(super) fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, octet| hash.wrapping_mul(16_777_619) ^ u32::from(*octet))
}

/// Which of a hash's `spares` belongs to a bucket: the smallest power of two not below `bucket + 1`.
pub(super) fn spare_index(bucket: u32) -> usize {
    (u64::from(bucket) + 1).next_power_of_two().trailing_zeros() as usize
}

/// Longest key or value that a btree page takes itself: two pairs must always fit.
pub(super) fn btree_item_octets_max(page_octets: usize) -> usize {
    (page_octets - PAGE_HEADER_OCTETS) / 4 - 10
}

/// Longest value that a hash page takes itself.
pub(super) fn hash_item_octets_max(page_octets: usize) -> usize {
    page_octets / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_key_hashes_as_in_files_of_the_library() {
        assert_eq!(hash(CHECK_KEY), 0x5e68_8dd1);
    }

    #[test]
    fn spares_double() {
        let indices: Vec<_> = [0, 1, 2, 3, 4, 7, 8, 15, 16, u32::MAX].map(spare_index).to_vec();
        assert_eq!(indices, [0, 1, 2, 2, 3, 3, 4, 4, 5, 32]);
    }

    #[test]
    fn limits_are_those_that_db_stat_prints() {
        assert_eq!(btree_item_octets_max(4_096), 1_007);
        assert_eq!(btree_item_octets_max(512), 111);
    }
}
