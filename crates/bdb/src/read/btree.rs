//! Finding a key in a btree, and its first leaf.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::page::{Budget, File, Item, Page};
use crate::BdbError;
use crate::layout::{TYPE_BTREE_INNER, TYPE_BTREE_LEAF};

/// The value of a key.
pub(super) fn find<'a>(
    file: File<'a>,
    root: u32,
    key: &[u8],
    budget: &mut Budget,
) -> Result<Option<Cow<'a, [u8]>>, BdbError> {
    let leaf = descend(file, root, budget, |page, budget| {
        // The first item's key is not looked at: it stands for everything before the second's.
        let (mut low, mut high) = (1, page.items()?);
        while low < high {
            let middle = low.midpoint(high);
            match compare(file, page.inner_item(middle)?.0, key, budget)? {
                Ordering::Greater => high = middle,
                _ => low = middle + 1,
            }
        }
        Ok(low - 1)
    })?;
    let (mut low, mut high) = (0, leaf.pairs()?);
    while low < high {
        let middle = low.midpoint(high);
        let (item, key_counts) = leaf.leaf_item(2 * middle)?;
        match compare(file, item, key, budget)? {
            Ordering::Greater => high = middle,
            Ordering::Less => low = middle + 1,
            Ordering::Equal => {
                let (value, counts) = leaf.leaf_item(2 * middle + 1)?;
                return if key_counts && counts { file.resolve(value, budget).map(Some) } else { Ok(None) };
            }
        }
    }
    Ok(None)
}

/// The leaf with the smallest keys.
pub(super) fn first_leaf<'a>(file: File<'a>, root: u32, budget: &mut Budget) -> Result<Page<'a>, BdbError> {
    descend(file, root, budget, |_, _| Ok(0))
}

/// From the root to a leaf, by the items that `choose` says.
fn descend<'a>(
    file: File<'a>,
    root: u32,
    budget: &mut Budget,
    choose: impl Fn(&Page<'a>, &mut Budget) -> Result<usize, BdbError>,
) -> Result<Page<'a>, BdbError> {
    let mut page = file.page(root, budget)?;
    while page.kind() == TYPE_BTREE_INNER {
        let chosen = choose(&page, budget)?;
        page = file.page(page.inner_item(chosen)?.1, budget)?;
    }
    if page.kind() == TYPE_BTREE_LEAF { Ok(page) } else { Err(page.unsupported_type()) }
}

/// How an item compares with a key: octet by octet, then the longer one is greater.
fn compare(file: File<'_>, item: Item<'_>, key: &[u8], budget: &mut Budget) -> Result<Ordering, BdbError> {
    Ok(file.resolve(item, budget)?.as_ref().cmp(key))
}
