//! Whole file images from entries: checks and order, then one of `btree` and `hash`.

mod btree;
mod hash;
mod image;

use super::layout::{PAGE_OCTETS_MAX, PAGE_OCTETS_MIN, btree_item_octets_max};
use super::{BdbError, Kind};
use image::Image;

/// Longest value, in octets. Access maps have a few hundred.
pub const VALUE_OCTETS_MAX: usize = 1 << 20;
/// Largest image, in octets: about ten million entries of an access map.
pub const IMAGE_OCTETS_MAX: usize = 1 << 30;

/// How the file shall be; `Options::from(kind)` for what all readers but Exim's `dbm` take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Btree or hash. The reader must ask for the same.
    pub kind: Kind,
    /// Octets of a page: a power of two from 512 to 65,536. Default 4,096.
    pub page_octets: u32,
    /// Keys and values end with NUL (see the module about who wants it). Default no.
    pub terminated: bool,
    /// The name of the file's content for caches that several processes share: two files open in one library environment
    /// must not have the same. Without it, it is drawn from the content, so equal content gives equal images.
    pub file_id: Option<[u8; 20]>,
}

impl From<Kind> for Options {
    fn from(kind: Kind) -> Self {
        Self { kind, page_octets: 4_096, terminated: false, file_id: None }
    }
}

/// One pair as it shall lie in the file.
#[derive(Clone, Copy)]
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// The image of a file with these entries, in any order: `write(Kind::Hash, &entries)`, or with [`Options`].
/// Little-endian; readers on other machines swap. Needs memory for the image and some 40 octets an entry.
///
/// # Errors
/// A key twice, a key longer than fits (1,007 octets with pages of 4,096; 111 with 512), a value above
/// [`VALUE_OCTETS_MAX`], an image above [`IMAGE_OCTETS_MAX`], a page size that does not exist.
pub fn write<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    options: impl Into<Options>,
    entries: &[(K, V)],
) -> Result<Vec<u8>, BdbError> {
    let options = options.into();
    let octets = options.page_octets;
    if !octets.is_power_of_two() || !(PAGE_OCTETS_MIN..=PAGE_OCTETS_MAX).contains(&octets) {
        return Err(BdbError::PageSize { octets });
    }
    let terminated = if options.terminated { terminate(entries)? } else { Vec::new() };
    let mut entries = if options.terminated {
        split(&terminated, entries)
    } else {
        entries.iter().map(|(key, value)| Entry { key: key.as_ref(), value: value.as_ref() }).collect()
    };
    check_lengths(&entries, octets as usize)?;
    let mut image = Image::new(octets as usize);
    match options.kind {
        Kind::Btree => btree::fill(&mut image, &mut entries)?,
        Kind::Hash => hash::fill(&mut image, &mut entries)?,
    }
    Ok(image.finish(options.file_id))
}

/// All keys and values one after the other, a NUL after each.
fn terminate<K: AsRef<[u8]>, V: AsRef<[u8]>>(entries: &[(K, V)]) -> Result<Vec<u8>, BdbError> {
    let octets = entries.iter().map(|(key, value)| key.as_ref().len() + value.as_ref().len() + 2).sum();
    if octets > IMAGE_OCTETS_MAX {
        return Err(BdbError::TooLarge);
    }
    let mut all = Vec::with_capacity(octets);
    for (key, value) in entries {
        all.extend_from_slice(key.as_ref());
        all.push(0);
        all.extend_from_slice(value.as_ref());
        all.push(0);
    }
    Ok(all)
}

/// What [`terminate`] joined, as entries again.
fn split<'a, K: AsRef<[u8]>, V: AsRef<[u8]>>(mut all: &'a [u8], entries: &[(K, V)]) -> Vec<Entry<'a>> {
    let mut taken = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let (key, rest) = all.split_at(key.as_ref().len() + 1);
        let (value, rest) = rest.split_at(value.as_ref().len() + 1);
        taken.push(Entry { key, value });
        all = rest;
    }
    taken
}

fn check_lengths(entries: &[Entry<'_>], page_octets: usize) -> Result<(), BdbError> {
    let octets_max = btree_item_octets_max(page_octets);
    let mut total = 0;
    for Entry { key, value } in entries {
        if key.len() > octets_max {
            let start = key[..key.len().min(64)].to_vec();
            return Err(BdbError::KeyTooLong { octets: key.len(), octets_max, start });
        }
        if value.len() > VALUE_OCTETS_MAX {
            return Err(BdbError::ValueTooLong { key: key.to_vec(), octets: value.len() });
        }
        total += key.len() + value.len();
        if total > IMAGE_OCTETS_MAX {
            return Err(BdbError::TooLarge);
        }
    }
    Ok(())
}

fn duplicate(entry: &Entry<'_>) -> BdbError {
    BdbError::DuplicateKey { key: entry.key.to_vec() }
}
