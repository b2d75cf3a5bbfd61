//! Looking up in a file image, and walking over it. What the metadata say is checked once; everything else where it is used.

mod btree;
mod hash;
mod iter;
mod page;

use std::borrow::Cow;

use super::layout::{
    BIT_CHECKSUM, BTREE_FLAG_COMPRESSED, BTREE_FLAG_DUPLICATES, BTREE_FLAG_RECORD_NUMBERS, BTREE_FLAG_SEVERAL,
    BTREE_MAGIC, BTREE_ROOT, BTREE_VERSIONS, CHECK_KEY, HASH_CHECK, HASH_FLAG_DUPLICATES, HASH_FLAG_SEVERAL,
    HASH_HIGH_MASK, HASH_LOW_MASK, HASH_MAGIC, HASH_MAX_BUCKET, HASH_SPARES, HASH_SPARES_COUNT, HASH_VERSIONS,
    META_BITS, META_ENCRYPTION, META_FLAGS, META_MAGIC, META_PAGE_OCTETS, META_VERSION, PAGE_OCTETS_MAX,
    PAGE_OCTETS_MIN, hash as hash_of,
};
use super::{BdbError, Kind};
pub use iter::{Iter, Pair};
use page::{File, Order, Page};

/// A file image, opened. Copies are cheap and look at the same image.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    file: File<'a>,
    access: Access,
}

/// Where a key is found.
#[derive(Clone, Copy, Debug)]
enum Access {
    Btree { root: u32 },
    Hash(Buckets),
}

/// Which page a bucket begins on.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    max: u32,
    high_mask: u32,
    low_mask: u32,
    spares: [u32; HASH_SPARES_COUNT],
}

impl<'a> Reader<'a> {
    /// Opens an image.
    ///
    /// # Errors
    /// [`BdbError::Foreign`], [`BdbError::Unsupported`] with the reason, or [`BdbError::Damaged`] for impossible metadata.
    pub fn new(image: &'a [u8]) -> Result<Self, BdbError> {
        let (kind, order) = kind_of(image)?;
        let Some(meta) = Page::new(image.get(..PAGE_OCTETS_MIN as usize).ok_or(BdbError::Foreign)?, 0, order) else {
            return Err(BdbError::Foreign);
        };
        let versions = if kind == Kind::Btree { BTREE_VERSIONS } else { HASH_VERSIONS };
        if !versions.contains(&meta.u32(META_VERSION)) {
            return Err(BdbError::Unsupported { feature: "an unknown or very old version" });
        }
        if meta.u8(META_ENCRYPTION) != 0 {
            return Err(BdbError::Unsupported { feature: "encryption" });
        }
        match meta.u8(META_BITS) {
            0 => {}
            bits if bits & BIT_CHECKSUM != 0 => return Err(BdbError::Unsupported { feature: "checksums" }),
            _ => return Err(BdbError::Unsupported { feature: "partitions" }),
        }
        let page_octets = meta.u32(META_PAGE_OCTETS);
        if !page_octets.is_power_of_two() || !(PAGE_OCTETS_MIN..=PAGE_OCTETS_MAX).contains(&page_octets) {
            return Err(meta.damaged("impossible page size"));
        }
        let file = File::new(image, page_octets as usize, order);
        let access = match kind {
            Kind::Btree => open_btree(&meta)?,
            Kind::Hash => open_hash(&meta, file)?,
        };
        Ok(Self { file, access })
    }

    /// Btree or hash.
    pub fn kind(&self) -> Kind {
        match self.access {
            Access::Btree { .. } => Kind::Btree,
            Access::Hash(_) => Kind::Hash,
        }
    }

    /// Octets of a page: a power of two from 512 to 65,536.
    pub fn page_octets(&self) -> usize {
        self.file.page_octets()
    }

    /// The value of exactly this key; a NUL at its end counts.
    ///
    /// # Errors
    /// [`BdbError::Damaged`] or [`BdbError::Unsupported`] for what stands on the way to the key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Cow<'a, [u8]>>, BdbError> {
        let mut budget = self.file.find_budget();
        match &self.access {
            Access::Btree { root } => btree::find(self.file, *root, key, &mut budget),
            Access::Hash(buckets) => hash::find(self.file, buckets, key, &mut budget),
        }
    }

    /// All pairs: a btree's in the order of their keys, a hash's in that of their buckets.
    pub fn iter(&self) -> Iter<'a> {
        Iter::new(*self)
    }
}

impl<'a> IntoIterator for &Reader<'a> {
    type Item = Result<Pair<'a>, BdbError>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Kind and byte order by the magic number. Version 1.85 has the same numbers at the very start.
fn kind_of(image: &[u8]) -> Result<(Kind, Order), BdbError> {
    let number = |at: usize| image.get(at..at + 4).and_then(|octets| octets.first_chunk::<4>()).copied();
    for order in [Order::Little, Order::Big] {
        match number(META_MAGIC).map(|octets| order.u32(octets)) {
            Some(BTREE_MAGIC) => return Ok((Kind::Btree, order)),
            Some(HASH_MAGIC) => return Ok((Kind::Hash, order)),
            _ => {}
        }
        if let Some(BTREE_MAGIC | HASH_MAGIC) = number(0).map(|octets| order.u32(octets)) {
            return Err(BdbError::Unsupported { feature: "the format of version 1.85" });
        }
    }
    Err(BdbError::Foreign)
}

/// Fails with the first feature whose flag is set.
fn refuse(flags: u32, features: &[(u32, &'static str)]) -> Result<(), BdbError> {
    match features.iter().find(|(flag, _)| flags & flag != 0) {
        Some((_, feature)) => Err(BdbError::Unsupported { feature }),
        None => Ok(()),
    }
}

fn open_btree(meta: &Page<'_>) -> Result<Access, BdbError> {
    refuse(
        meta.u32(META_FLAGS),
        &[
            (BTREE_FLAG_DUPLICATES, "duplicate keys"),
            (BTREE_FLAG_RECORD_NUMBERS, "records instead of keys"),
            (BTREE_FLAG_SEVERAL, "several databases in it"),
            (BTREE_FLAG_COMPRESSED, "compression"),
        ],
    )?;
    Ok(Access::Btree { root: meta.u32(BTREE_ROOT) })
}

fn open_hash(meta: &Page<'_>, file: File<'_>) -> Result<Access, BdbError> {
    refuse(
        meta.u32(META_FLAGS),
        &[(HASH_FLAG_DUPLICATES, "duplicate keys"), (HASH_FLAG_SEVERAL, "several databases in it")],
    )?;
    if meta.u32(HASH_CHECK) != hash_of(CHECK_KEY) {
        return Err(BdbError::Unsupported { feature: "a hash function of its own" });
    }
    let max = meta.u32(HASH_MAX_BUCKET);
    // Each bucket has a page of its own, beside the metadata.
    if max >= file.pages() {
        return Err(meta.damaged("more buckets than pages"));
    }
    Ok(Access::Hash(Buckets {
        max,
        high_mask: meta.u32(HASH_HIGH_MASK),
        low_mask: meta.u32(HASH_LOW_MASK),
        spares: std::array::from_fn(|index| meta.u32(HASH_SPARES + 4 * index)),
    }))
}
