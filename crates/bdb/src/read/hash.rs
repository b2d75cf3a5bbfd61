//! Finding a key in a hash, and the pages of its buckets.

use std::borrow::Cow;

use super::Buckets;
use super::page::{Budget, File, Item, Page};
use crate::BdbError;
use crate::layout::{TYPE_HASH, TYPE_HASH_UNSORTED, TYPE_NEVER_WRITTEN, hash, spare_index};

impl Buckets {
    /// The bucket that a key belongs to.
    fn of(&self, key: &[u8]) -> u32 {
        match hash(key) & self.high_mask {
            bucket if bucket <= self.max => bucket,
            not_yet => not_yet & self.low_mask,
        }
    }

    /// The first page of a bucket.
    pub(super) fn page<'a>(&self, file: File<'a>, bucket: u32, budget: &mut Budget) -> Result<Page<'a>, BdbError> {
        let spare = self.spares.get(spare_index(bucket)).copied().unwrap_or_default();
        check(file.page(bucket.wrapping_add(spare), budget)?)
    }
}

/// The page that continues a bucket.
pub(super) fn next<'a>(file: File<'a>, page: &Page<'a>, budget: &mut Budget) -> Result<Option<Page<'a>>, BdbError> {
    match page.next() {
        0 => Ok(None),
        next => check(file.page(next, budget)?).map(Some),
    }
}

/// Buckets that nothing was ever put into may never have been written.
fn check(page: Page<'_>) -> Result<Page<'_>, BdbError> {
    match page.kind() {
        TYPE_HASH | TYPE_HASH_UNSORTED => Ok(page),
        TYPE_NEVER_WRITTEN if page.items()? == 0 => Ok(page),
        _ => Err(page.unsupported_type()),
    }
}

/// The value of a key.
pub(super) fn find<'a>(
    file: File<'a>,
    buckets: &Buckets,
    key: &[u8],
    budget: &mut Budget,
) -> Result<Option<Cow<'a, [u8]>>, BdbError> {
    let bucket = buckets.of(key);
    let mut page = Some(buckets.page(file, bucket, budget)?);
    while let Some(here) = page {
        for pair in 0..here.pairs()? {
            if is(file, here.hash_item(2 * pair)?, key, budget)? {
                return file.resolve(here.hash_item(2 * pair + 1)?, budget).map(Some);
            }
        }
        page = next(file, &here, budget)?;
    }
    Ok(None)
}

fn is(file: File<'_>, item: Item<'_>, key: &[u8], budget: &mut Budget) -> Result<bool, BdbError> {
    match item {
        Item::Here(octets) => Ok(octets == key),
        Item::Overflow { octets, .. } if octets as usize != key.len() => Ok(false),
        Item::Overflow { .. } => Ok(file.resolve(item, budget)?.as_ref() == key),
    }
}
