//! Pages and items of an image that may be damaged: every offset is checked here, every chain bounded.

use std::borrow::Cow;

use crate::BdbError;
use crate::layout::{
    INNER_ITEM_OCTETS, ITEM_DELETED, ITEM_HERE, ITEM_OVERFLOW, LEAF_ITEM_OCTETS, OVERFLOW_ITEM_OCTETS,
    PAGE_HEADER_OCTETS, PAGE_ITEMS, PAGE_LOWEST, PAGE_NEXT, PAGE_OCTETS_MIN, PAGE_TYPE, TYPE_OVERFLOW,
};

/// The byte order of the machine that wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u32(self, octets: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(octets),
            Self::Big => u32::from_be_bytes(octets),
        }
    }

    fn u16(self, octets: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(octets),
            Self::Big => u16::from_be_bytes(octets),
        }
    }
}

/// How many pages a look-up or a walk may still visit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(u32);

impl Budget {
    /// Visits a page.
    pub(super) fn spend(&mut self, page: u32) -> Result<(), BdbError> {
        self.0 =
            self.0.checked_sub(1).ok_or(BdbError::Damaged { page, fault: "pages refer to each other in a circle" })?;
        Ok(())
    }
}

/// An image cut into pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    image: &'a [u8],
    page_octets: usize,
    order: Order,
}

impl<'a> File<'a> {
    pub(super) fn new(image: &'a [u8], page_octets: usize, order: Order) -> Self {
        Self { image, page_octets, order }
    }

    pub(super) fn page_octets(&self) -> usize {
        self.page_octets
    }

    /// Whole pages in the image.
    pub(super) fn pages(&self) -> u32 {
        u32::try_from(self.image.len() / self.page_octets).unwrap_or(u32::MAX)
    }

    /// Enough for a walk: every page once.
    pub(super) fn walk_budget(&self) -> Budget {
        Budget(self.pages())
    }

    /// Enough for a look-up, which sees few pages; yet a long key may be met on several levels, where versions before 4.5
    /// refer to the same overflow pages.
    pub(super) fn find_budget(&self) -> Budget {
        Budget(self.pages().saturating_mul(4))
    }

    /// A page other than the metadata.
    pub(super) fn page(&self, number: u32, budget: &mut Budget) -> Result<Page<'a>, BdbError> {
        budget.spend(number)?;
        let start = number as usize * self.page_octets;
        if number == 0 || number >= self.pages() {
            return Err(BdbError::Damaged { page: number, fault: "there is no such page" });
        }
        self.image
            .get(start..start + self.page_octets)
            .and_then(|octets| Page::new(octets, number, self.order))
            .ok_or(BdbError::Damaged { page: number, fault: "the file ends before it" })
    }

    /// The octets of an item, joined from overflow pages where that is needed.
    pub(super) fn resolve(&self, item: Item<'a>, budget: &mut Budget) -> Result<Cow<'a, [u8]>, BdbError> {
        match item {
            Item::Here(octets) => Ok(Cow::Borrowed(octets)),
            Item::Overflow { first, octets } => self.join(first, octets as usize, budget).map(Cow::Owned),
        }
    }

    fn join(&self, first: u32, octets: usize, budget: &mut Budget) -> Result<Vec<u8>, BdbError> {
        if octets > self.image.len() {
            return Err(BdbError::Damaged { page: first, fault: "an item longer than the file" });
        }
        let mut joined = Vec::new();
        let mut number = first;
        while joined.len() < octets {
            let page = self.page(number, budget)?;
            if page.kind() != TYPE_OVERFLOW {
                return Err(page.damaged("an item continues on a page for something else"));
            }
            let part = page.octets.get(PAGE_HEADER_OCTETS..PAGE_HEADER_OCTETS + page.u16(PAGE_LOWEST));
            joined.extend_from_slice(part.ok_or_else(|| page.damaged("an item ends behind its page"))?);
            number = page.next();
        }
        if joined.len() == octets {
            Ok(joined)
        } else {
            Err(BdbError::Damaged { page: first, fault: "an item longer than it says" })
        }
    }
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    octets: &'a [u8],
    number: u32,
    order: Order,
}

/// A key or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// On its page.
    Here(&'a [u8]),
    /// On overflow pages.
    Overflow { first: u32, octets: u32 },
}

impl Item<'_> {
    /// How many octets of its page it takes, at least.
    pub(super) fn octets_here(&self) -> usize {
        match self {
            Self::Here(octets) => octets.len(),
            Self::Overflow { .. } => OVERFLOW_ITEM_OCTETS,
        }
    }
}

impl<'a> Page<'a> {
    /// `None` for less than the smallest page, so that the fixed fields are always there.
    pub(super) fn new(octets: &'a [u8], number: u32, order: Order) -> Option<Self> {
        (octets.len() >= PAGE_OCTETS_MIN as usize).then_some(Self { octets, number, order })
    }

    pub(super) fn damaged(&self, fault: &'static str) -> BdbError {
        BdbError::Damaged { page: self.number, fault }
    }

    pub(super) fn unsupported_type(&self) -> BdbError {
        self.damaged("a page of a type that does not belong here")
    }

    /// 0 where the page ends before; callers ask for fields of the header and the metadata, which are there.
    pub(super) fn u8(&self, at: usize) -> u8 {
        self.octets.get(at).copied().unwrap_or_default()
    }

    fn u16(&self, at: usize) -> usize {
        let octets = self.octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        usize::from(self.order.u16(octets))
    }

    /// As [`Page::u8`].
    pub(super) fn u32(&self, at: usize) -> u32 {
        self.order.u32(self.octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default())
    }

    pub(super) fn kind(&self) -> u8 {
        self.u8(PAGE_TYPE)
    }

    /// The page that continues this one; 0 for none.
    pub(super) fn next(&self) -> u32 {
        self.u32(PAGE_NEXT)
    }

    /// How many items the page has.
    pub(super) fn items(&self) -> Result<usize, BdbError> {
        let items = self.u16(PAGE_ITEMS);
        if PAGE_HEADER_OCTETS + 2 * items > self.octets.len() {
            return Err(self.damaged("more items than fit"));
        }
        Ok(items)
    }

    /// How many pairs of key and value the page has.
    pub(super) fn pairs(&self) -> Result<usize, BdbError> {
        match self.items()? {
            odd if odd % 2 == 1 => Err(self.damaged("a key without a value")),
            items => Ok(items / 2),
        }
    }

    /// Where an item begins.
    fn offset(&self, index: usize) -> Result<usize, BdbError> {
        let offset = self.u16(PAGE_HEADER_OCTETS + 2 * index);
        if index >= self.items()? || offset < PAGE_HEADER_OCTETS + 2 * self.items()? || offset >= self.octets.len() {
            return Err(self.damaged("an item lies outside of the page's free space"));
        }
        Ok(offset)
    }

    fn slice(&self, start: usize, octets: usize) -> Result<&'a [u8], BdbError> {
        self.octets.get(start..start + octets).ok_or_else(|| self.damaged("an item ends behind its page"))
    }

    /// The reference that begins with 4 octets of other things.
    fn overflow_at(&self, start: usize) -> Result<Item<'a>, BdbError> {
        self.slice(start, OVERFLOW_ITEM_OCTETS)?;
        Ok(Item::Overflow { first: self.u32(start + 4), octets: self.u32(start + 8) })
    }

    /// An item of a hash page: its length is what remains to the item before it.
    pub(super) fn hash_item(&self, index: usize) -> Result<Item<'a>, BdbError> {
        let start = self.offset(index)?;
        let end = if index == 0 { self.octets.len() } else { self.offset(index - 1)? };
        let item = self.octets.get(start..end).ok_or_else(|| self.damaged("items out of order"))?;
        match item.split_first() {
            Some((&ITEM_HERE, octets)) => Ok(Item::Here(octets)),
            Some((&ITEM_OVERFLOW, _)) => self.overflow_at(start),
            _ => Err(self.damaged("an item of unknown type, or with duplicates")),
        }
    }

    /// An item of a btree leaf, and whether it counts: deleted ones stay until the page is needed.
    pub(super) fn leaf_item(&self, index: usize) -> Result<(Item<'a>, bool), BdbError> {
        let start = self.offset(index)?;
        let item = match self.u8(start + 2) & !ITEM_DELETED {
            ITEM_HERE => Item::Here(self.slice(start + LEAF_ITEM_OCTETS, self.u16(start))?),
            ITEM_OVERFLOW => self.overflow_at(start)?,
            _ => return Err(self.damaged("an item of unknown type, or with duplicates")),
        };
        Ok((item, self.u8(start + 2) & ITEM_DELETED == 0))
    }

    /// An item of a btree's inner page: the smallest key below, and the page.
    pub(super) fn inner_item(&self, index: usize) -> Result<(Item<'a>, u32), BdbError> {
        let start = self.offset(index)?;
        let item = match self.u8(start + 2) & !ITEM_DELETED {
            ITEM_HERE => Item::Here(self.slice(start + INNER_ITEM_OCTETS, self.u16(start))?),
            ITEM_OVERFLOW => self.overflow_at(start + INNER_ITEM_OCTETS)?,
            _ => return Err(self.damaged("an item of unknown type")),
        };
        Ok((item, self.u32(start + 4)))
    }
}
