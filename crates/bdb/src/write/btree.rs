//! A btree from sorted entries: leaves first, then one level of inner pages above the other until a single page is left,
//! which must be page 1.
//!
//! An inner page's item holds the number of a page below and the shortest octets that come after everything left of it, as
//! the library chooses them; so keys on inner pages never overflow.

use super::image::Image;
use super::{Entry, duplicate};
use crate::BdbError;
use crate::layout::{
    BTREE_MAGIC, BTREE_MIN_KEYS, BTREE_ROOT, INNER_ITEM_OCTETS, ITEM_HERE, ITEM_OVERFLOW, LEAF_ITEM_OCTETS,
    OVERFLOW_ITEM_OCTETS, TYPE_BTREE_INNER, TYPE_BTREE_LEAF, TYPE_BTREE_META, btree_item_octets_max,
};

const ROOT: u32 = 1;

/// A page and what separates it from the one before.
struct Child<'a> {
    separator: &'a [u8],
    page: u32,
}

/// Fills an empty image with the entries, and sorts these for it.
pub(super) fn fill(image: &mut Image, entries: &mut [Entry<'_>]) -> Result<(), BdbError> {
    entries.sort_unstable_by(|a, b| a.key.cmp(b.key));
    if let Some([again, _]) = entries.array_windows().find(|[a, b]| a.key == b.key) {
        return Err(duplicate(again));
    }
    let needed: usize = entries.iter().map(|entry| pair_octets(image, entry)).sum();
    image.reserve(needed + needed / 32 + 4 * image.page_octets());
    image.append(TYPE_BTREE_META, 0)?;
    image.describe(BTREE_MAGIC);
    image.put_u32(0, BTREE_MIN_KEYS, 2);
    image.put_u32(0, BTREE_ROOT, ROOT);
    image.append(TYPE_BTREE_LEAF, 1)?;
    if needed <= image.page_space() {
        entries.iter().try_for_each(|entry| push_pair(image, ROOT, entry))
    } else {
        let mut children = leaves(image, entries)?;
        let mut level = 2;
        while let Some(above) = inner_level(image, &children, level)? {
            children = above;
            level += 1;
        }
        Ok(())
    }
}

/// Puts the entries on leaves after page 1.
fn leaves<'a>(image: &mut Image, entries: &[Entry<'a>]) -> Result<Vec<Child<'a>>, BdbError> {
    let mut children: Vec<Child<'a>> = Vec::new();
    let mut before: &[u8] = &[];
    for entry in entries {
        let octets = pair_octets(image, entry);
        let page = match children.last() {
            Some(child) if image.free(child.page) >= octets => child.page,
            last => {
                let previous = last.map(|child| child.page);
                let page = image.append(TYPE_BTREE_LEAF, 1)?;
                if let Some(previous) = previous {
                    image.link(previous, page);
                }
                let separator = if previous.is_some() { separator(before, entry.key) } else { &[] };
                children.push(Child { separator, page });
                page
            }
        };
        push_pair(image, page, entry)?;
        before = entry.key;
    }
    Ok(children)
}

/// The shortest start of `key` that comes after `before`, the key left of it.
fn separator<'a>(before: &[u8], key: &'a [u8]) -> &'a [u8] {
    let common = before.iter().zip(key).take_while(|(a, b)| a == b).count();
    &key[..key.len().min(common + 1)]
}

/// Puts references to `children` on pages of this level. `None` when they all fitted on the root.
fn inner_level<'a>(image: &mut Image, children: &[Child<'a>], level: u8) -> Result<Option<Vec<Child<'a>>>, BdbError> {
    let groups = groups(children, image.page_space());
    if groups.len() == 1 {
        image.retype(ROOT, TYPE_BTREE_INNER, level);
        push_children(image, ROOT, children);
        return Ok(None);
    }
    let mut above = Vec::with_capacity(groups.len());
    for group in groups {
        let page = image.append(TYPE_BTREE_INNER, level)?;
        push_children(image, page, group);
        above.push(Child { separator: group.first().map_or(&[][..], |child| child.separator), page });
    }
    Ok(Some(above))
}

/// Cuts `children` into pages' worth, at least two to a page.
fn groups<'c, 'a>(children: &'c [Child<'a>], page_space: usize) -> Vec<&'c [Child<'a>]> {
    let mut groups = Vec::new();
    let mut start = 0;
    let mut used = 0;
    for (index, child) in children.iter().enumerate() {
        let octets = inner_octets(child) + 2;
        if used + octets > page_space {
            // A single last one takes its neighbour along: an inner page above one other would be no use.
            let end = if index + 1 == children.len() { index - 1 } else { index };
            groups.push(&children[start..end]);
            start = end;
            used = children[start..index].iter().map(|child| inner_octets(child) + 2).sum();
        }
        used += octets;
    }
    groups.push(&children[start..]);
    groups
}

fn inner_octets(child: &Child<'_>) -> usize {
    (INNER_ITEM_OCTETS + child.separator.len()).next_multiple_of(4)
}

fn push_children(image: &mut Image, page: u32, children: &[Child<'_>]) {
    for child in children {
        let [low, high, ..] = child.separator.len().to_le_bytes();
        let head = [low, high, ITEM_HERE, 0];
        image.push(page, inner_octets(child), &[&head, &child.page.to_le_bytes(), &[0; 4], child.separator]);
    }
}

/// Octets that a key or value takes on a leaf, without its offset.
fn item_octets(image: &Image, octets: usize) -> usize {
    if octets > btree_item_octets_max(image.page_octets()) {
        OVERFLOW_ITEM_OCTETS
    } else {
        (LEAF_ITEM_OCTETS + octets).next_multiple_of(4)
    }
}

/// Octets that a pair takes on a leaf, with its two offsets.
fn pair_octets(image: &Image, entry: &Entry<'_>) -> usize {
    item_octets(image, entry.key.len()) + item_octets(image, entry.value.len()) + 4
}

fn push_pair(image: &mut Image, page: u32, entry: &Entry<'_>) -> Result<(), BdbError> {
    push_here(image, page, entry.key);
    if entry.value.len() <= btree_item_octets_max(image.page_octets()) {
        push_here(image, page, entry.value);
    } else {
        let [first, octets] = image.overflow(entry.value)?;
        image.push(page, OVERFLOW_ITEM_OCTETS, &[&[0, 0, ITEM_OVERFLOW, 0], &first, &octets]);
    }
    Ok(())
}

fn push_here(image: &mut Image, page: u32, octets: &[u8]) {
    let [low, high, ..] = octets.len().to_le_bytes();
    image.push(page, item_octets(image, octets.len()), &[&[low, high, ITEM_HERE], octets]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_short_and_between() {
        for (before, key, wanted) in [
            (&b"abc"[..], &b"abd"[..], &b"abd"[..]),
            (b"ab", b"abc", b"abc"),
            (b"apple", b"banana", b"b"),
            (b"", b"x", b"x"),
        ] {
            let separator = separator(before, key);
            assert_eq!(separator, wanted);
            assert!(before < separator && separator <= key);
        }
    }

    #[test]
    fn no_group_of_one() {
        for count in 2..200 {
            let children: Vec<_> = (0..count).map(|page| Child { separator: b"0123456789", page }).collect();
            let groups = groups(&children, 110);
            assert!(groups.iter().all(|group| group.len() >= 2), "{count}");
            assert_eq!(groups.iter().map(|group| group.len()).sum::<usize>(), children.len());
        }
    }
}
