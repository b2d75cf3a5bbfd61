//! Walking over all pairs of an image.

use std::borrow::Cow;

use super::page::{Budget, Page};
use super::{Access, Reader, btree, hash};
use crate::BdbError;
use crate::layout::TYPE_BTREE_LEAF;

/// Key and value; borrowed from the image but where they are longer than a page takes.
pub type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// All pairs of a file, each once. After an error there are no more.
#[derive(Debug)]
pub struct Iter<'a> {
    reader: Reader<'a>,
    budget: Budget,
    /// The page in hand; `None` before the first and after the last.
    page: Option<Page<'a>>,
    /// Its next pair.
    pair: usize,
    /// Octets of its pairs so far. Items that overlap could make a small file endless to who copies them.
    octets: usize,
    /// A hash's next bucket; for a btree, 0 until the first leaf was found.
    bucket: u32,
    over: bool,
}

impl<'a> Iter<'a> {
    pub(super) fn new(reader: Reader<'a>) -> Self {
        Self { reader, budget: reader.file.walk_budget(), page: None, pair: 0, octets: 0, bucket: 0, over: false }
    }

    /// The next pair that is not deleted.
    fn step(&mut self) -> Result<Option<Pair<'a>>, BdbError> {
        loop {
            match self.page {
                Some(page) if self.pair < page.pairs()? => {
                    let pair = self.pair;
                    self.pair += 1;
                    if let Some(pair) = self.pair_of(&page, pair)? {
                        return Ok(Some(pair));
                    }
                }
                _ => {
                    self.page = self.next_page()?;
                    (self.pair, self.octets) = (0, 0);
                    if self.page.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn pair_of(&mut self, page: &Page<'a>, pair: usize) -> Result<Option<Pair<'a>>, BdbError> {
        let (key, value) = match self.reader.access {
            Access::Hash(_) => (page.hash_item(2 * pair)?, page.hash_item(2 * pair + 1)?),
            Access::Btree { .. } => {
                let ((key, key_counts), (value, counts)) = (page.leaf_item(2 * pair)?, page.leaf_item(2 * pair + 1)?);
                if !key_counts || !counts {
                    return Ok(None);
                }
                (key, value)
            }
        };
        let file = self.reader.file;
        self.octets += key.octets_here() + value.octets_here();
        if self.octets > file.page_octets() {
            return Err(page.damaged("items overlap"));
        }
        Ok(Some((file.resolve(key, &mut self.budget)?, file.resolve(value, &mut self.budget)?)))
    }

    fn next_page(&mut self) -> Result<Option<Page<'a>>, BdbError> {
        let file = self.reader.file;
        match (self.reader.access, self.page) {
            (Access::Btree { root }, None) if self.bucket == 0 => {
                self.bucket = 1;
                btree::first_leaf(file, root, &mut self.budget).map(Some)
            }
            (Access::Btree { .. }, page) => match page.map_or(0, |page| page.next()) {
                0 => Ok(None),
                next => match file.page(next, &mut self.budget)? {
                    leaf if leaf.kind() == TYPE_BTREE_LEAF => Ok(Some(leaf)),
                    other => Err(other.unsupported_type()),
                },
            },
            (Access::Hash(buckets), page) => {
                if let Some(page) = page
                    && let Some(next) = hash::next(file, &page, &mut self.budget)?
                {
                    return Ok(Some(next));
                }
                if self.bucket > buckets.max {
                    return Ok(None);
                }
                self.bucket += 1;
                buckets.page(file, self.bucket - 1, &mut self.budget).map(Some)
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Pair<'a>, BdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step().transpose();
        self.over = !matches!(step, Some(Ok(_)));
        step
    }
}

impl std::iter::FusedIterator for Iter<'_> {}
