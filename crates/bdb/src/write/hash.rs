//! A linear hash from entries: a power of two of buckets, one page each from page 1 on, filled to between two and four
//! fifths on the average; what does not fit goes to pages chained to the bucket's.
//!
//! The keys of each page are sorted, as the library does since 4.6, in an order of its own: octet by octet, and where one
//! key begins with the other the *longer* comes first. Its binary search misses keys that lie otherwise. The number of buckets may grow later: the library finds
//! `spares` as it would have left them itself.

use std::cmp::Ordering;

use super::image::Image;
use super::{Entry, duplicate};
use crate::BdbError;
use crate::layout::{
    CHECK_KEY, HASH_CHECK, HASH_HIGH_MASK, HASH_KEYS, HASH_LOW_MASK, HASH_MAGIC, HASH_MAX_BUCKET, HASH_SPARES,
    ITEM_HERE, ITEM_OVERFLOW, OVERFLOW_ITEM_OCTETS, TYPE_HASH, TYPE_HASH_META, hash, hash_item_octets_max, spare_index,
};

/// Fewest buckets that the library makes.
const BUCKETS_MIN: u32 = 2;

/// Fills an empty image with the entries.
pub(super) fn fill(image: &mut Image, entries: &mut [Entry<'_>]) -> Result<(), BdbError> {
    let needed: usize = entries.iter().map(|entry| pair_octets(image, entry)).sum();
    let buckets = buckets_for(image, needed)?;
    let mask = buckets - 1;
    let mut placed: Vec<(u32, Entry<'_>)> = entries.iter().map(|entry| (hash(entry.key) & mask, *entry)).collect();
    placed.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| page_order(x.key, y.key)));
    if let Some([(_, again), _]) = placed.array_windows().find(|[(_, a), (_, b)]| a.key == b.key) {
        return Err(duplicate(again));
    }
    image.reserve((buckets as usize + 2) * image.page_octets() * 9 / 8);
    image.append(TYPE_HASH_META, 0)?;
    describe(image, buckets, entries.len())?;
    for _ in 0..buckets {
        image.append(TYPE_HASH, 0)?;
    }
    for bucket in placed.chunk_by(|(a, _), (b, _)| a == b) {
        fill_bucket(image, bucket)?;
    }
    Ok(())
}

/// How two keys of a page lie.
fn page_order(one: &[u8], other: &[u8]) -> Ordering {
    let common = one.len().min(other.len());
    one[..common].cmp(&other[..common]).then_with(|| other.len().cmp(&one.len()))
}

/// As many buckets as fill four fifths of their pages or less.
fn buckets_for(image: &Image, octets: usize) -> Result<u32, BdbError> {
    let pages = octets.div_ceil(image.page_space() * 4 / 5).next_power_of_two();
    Ok(u32::try_from(pages).map_err(|_| BdbError::TooLarge)?.max(BUCKETS_MIN))
}

fn describe(image: &mut Image, buckets: u32, keys: usize) -> Result<(), BdbError> {
    image.describe(HASH_MAGIC);
    image.put_u32(0, HASH_MAX_BUCKET, buckets - 1);
    image.put_u32(0, HASH_HIGH_MASK, buckets - 1);
    image.put_u32(0, HASH_LOW_MASK, buckets / 2 - 1);
    image.put_u32(0, HASH_KEYS, u32::try_from(keys).map_err(|_| BdbError::TooLarge)?);
    image.put_u32(0, HASH_CHECK, hash(CHECK_KEY));
    for index in 0..=spare_index(buckets - 1) {
        image.put_u32(0, HASH_SPARES + 4 * index, 1);
    }
    Ok(())
}

/// Puts the sorted entries of one bucket on its page and on as many more as they need.
fn fill_bucket(image: &mut Image, entries: &[(u32, Entry<'_>)]) -> Result<(), BdbError> {
    let Some((bucket, _)) = entries.first() else { return Ok(()) };
    let mut page = bucket + 1;
    for (_, entry) in entries {
        if image.free(page) < pair_octets(image, entry) {
            let next = image.append(TYPE_HASH, 0)?;
            image.link(page, next);
            page = next;
        }
        push_here(image, page, entry.key);
        if entry.value.len() <= hash_item_octets_max(image.page_octets()) {
            push_here(image, page, entry.value);
        } else {
            let [first, octets] = image.overflow(entry.value)?;
            image.push(page, OVERFLOW_ITEM_OCTETS, &[&[ITEM_OVERFLOW, 0, 0, 0], &first, &octets]);
        }
    }
    Ok(())
}

fn push_here(image: &mut Image, page: u32, octets: &[u8]) {
    image.push(page, 1 + octets.len(), &[&[ITEM_HERE], octets]);
}

/// Octets that a pair takes on a page, with its two offsets.
fn pair_octets(image: &Image, entry: &Entry<'_>) -> usize {
    let value = if entry.value.len() <= hash_item_octets_max(image.page_octets()) {
        1 + entry.value.len()
    } else {
        OVERFLOW_ITEM_OCTETS
    };
    1 + entry.key.len() + value + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_keys_come_first() {
        let mut keys = [&b""[..], b"192.0.2.1", b"192.0.2.10", b"192.0.2.2", b"192.0.2.1\0", b"\xff"];
        keys.sort_by(|one, other| page_order(one, other));
        assert_eq!(keys, [&b"192.0.2.1\0"[..], b"192.0.2.10", b"192.0.2.1", b"192.0.2.2", b"\xff", b""]);
    }
}
