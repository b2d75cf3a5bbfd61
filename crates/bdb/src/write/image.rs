//! Pages in a growing image: appending, items, chains, overflow, metadata common to both kinds. Little-endian.

use crate::BdbError;
use crate::layout::{
    META_FILE_ID, META_LAST_PAGE, META_MAGIC, META_PAGE_OCTETS, META_VERSION, PAGE_HEADER_OCTETS, PAGE_ITEMS,
    PAGE_LEVEL, PAGE_LOWEST, PAGE_NEXT, PAGE_NUMBER, PAGE_PREVIOUS, PAGE_TYPE, TYPE_OVERFLOW, VERSION,
};

/// "Never logged", the log sequence number that the library gives to pages written outside of transactions: file 0,
/// offset 1.
const NEVER_LOGGED: [u8; 8] = [0, 0, 0, 0, 1, 0, 0, 0];
/// Stands in for the file id before the content is known.
const FILE_ID_OCTETS: usize = 20;

/// A file under construction. Page numbers come from [`Image::append`] only.
pub(super) struct Image {
    octets: Vec<u8>,
    page_octets: usize,
}

impl Image {
    pub(super) fn new(page_octets: usize) -> Self {
        Self { octets: Vec::new(), page_octets }
    }

    pub(super) fn page_octets(&self) -> usize {
        self.page_octets
    }

    /// Octets for items and their offsets on an empty page.
    pub(super) fn page_space(&self) -> usize {
        self.page_octets - PAGE_HEADER_OCTETS
    }

    /// Makes room at once for about so many octets of pages.
    pub(super) fn reserve(&mut self, octets: usize) {
        self.octets.reserve(octets.min(super::IMAGE_OCTETS_MAX));
    }

    /// An empty page at the end; its number.
    pub(super) fn append(&mut self, kind: u8, level: u8) -> Result<u32, BdbError> {
        let start = self.octets.len();
        if start + self.page_octets > super::IMAGE_OCTETS_MAX {
            return Err(BdbError::TooLarge);
        }
        self.octets.resize(start + self.page_octets, 0);
        let number = u32::try_from(start / self.page_octets).map_err(|_| BdbError::TooLarge)?;
        self.put(number, 0, &NEVER_LOGGED);
        self.put_u32(number, PAGE_NUMBER, number);
        self.retype(number, kind, level);
        self.put_lowest(number, self.page_octets);
        Ok(number)
    }

    /// Gives a page another type and level.
    pub(super) fn retype(&mut self, page: u32, kind: u8, level: u8) {
        self.put(page, PAGE_LEVEL, &[level]);
        self.put(page, PAGE_TYPE, &[kind]);
    }

    /// Lets `next` follow `page`.
    pub(super) fn link(&mut self, page: u32, next: u32) {
        self.put_u32(page, PAGE_NEXT, next);
        self.put_u32(next, PAGE_PREVIOUS, page);
    }

    pub(super) fn put_u32(&mut self, page: u32, at: usize, value: u32) {
        self.put(page, at, &value.to_le_bytes());
    }

    fn put(&mut self, page: u32, at: usize, octets: &[u8]) {
        let start = page as usize * self.page_octets + at;
        self.octets[start..start + octets.len()].copy_from_slice(octets);
    }

    fn u16(&self, page: u32, at: usize) -> usize {
        let start = page as usize * self.page_octets + at;
        usize::from(u16::from_le_bytes([self.octets[start], self.octets[start + 1]]))
    }

    /// Of a page of 65,536 octets that has no item yet, the field holds 0.
    fn put_lowest(&mut self, page: u32, at: usize) {
        self.put(page, PAGE_LOWEST, &low_half(at));
    }

    fn lowest(&self, page: u32) -> usize {
        match self.u16(page, PAGE_LOWEST) {
            0 => self.page_octets,
            lowest => lowest,
        }
    }

    /// Octets that are still free on a page, for items and their offsets (2 each).
    pub(super) fn free(&self, page: u32) -> usize {
        self.lowest(page) - PAGE_HEADER_OCTETS - 2 * self.u16(page, PAGE_ITEMS)
    }

    /// Appends an item made of `parts` to a page that has room for it, taking `octets` of the page (at least the parts').
    pub(super) fn push(&mut self, page: u32, octets: usize, parts: &[&[u8]]) {
        debug_assert!(self.free(page) >= octets + 2, "the caller has looked");
        let items = self.u16(page, PAGE_ITEMS);
        let lowest = self.lowest(page) - octets;
        let mut at = lowest;
        for part in parts {
            self.put(page, at, part);
            at += part.len();
        }
        self.put(page, PAGE_HEADER_OCTETS + 2 * items, &low_half(lowest));
        self.put(page, PAGE_ITEMS, &low_half(items + 1));
        self.put_lowest(page, lowest);
    }

    /// Puts a value on overflow pages of its own; the number of the first, and the length of all.
    pub(super) fn overflow(&mut self, value: &[u8]) -> Result<[[u8; 4]; 2], BdbError> {
        let mut first = None;
        let mut previous = None;
        for part in value.chunks(self.page_space()) {
            let page = self.append(TYPE_OVERFLOW, 0)?;
            self.put(page, PAGE_HEADER_OCTETS, part);
            // Of these pages the header's fields mean: references to the chain, octets on the page.
            self.put(page, PAGE_ITEMS, &low_half(1));
            self.put_lowest(page, part.len());
            if let Some(previous) = previous {
                self.link(previous, page);
            }
            previous = Some(page);
            first = first.or(previous);
        }
        let octets = u32::try_from(value.len()).map_err(|_| BdbError::TooLarge)?;
        Ok([first.unwrap_or_default().to_le_bytes(), octets.to_le_bytes()])
    }

    /// Makes page 0, just appended, say what both kinds say.
    pub(super) fn describe(&mut self, magic: u32) {
        self.put_u32(0, META_MAGIC, magic);
        self.put_u32(0, META_VERSION, VERSION);
        let [a, b, c, d, ..] = self.page_octets.to_le_bytes();
        self.put(0, META_PAGE_OCTETS, &[a, b, c, d]);
    }

    /// The whole file, with its last page's number and its id.
    pub(super) fn finish(mut self, file_id: Option<[u8; FILE_ID_OCTETS]>) -> Vec<u8> {
        let [a, b, c, d, ..] = (self.octets.len() / self.page_octets - 1).to_le_bytes();
        self.put(0, META_LAST_PAGE, &[a, b, c, d]);
        let file_id = file_id.unwrap_or_else(|| name_of(&self.octets));
        self.put(0, META_FILE_ID, &file_id);
        self.octets
    }
}

/// The low 16 bits: offsets and counts within a page.
fn low_half(value: usize) -> [u8; 2] {
    let [a, b, ..] = value.to_le_bytes();
    [a, b]
}

/// A name for this content: no secret, only unlikely to be another content's.
fn name_of(octets: &[u8]) -> [u8; FILE_ID_OCTETS] {
    let mut name = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    for word in octets.as_chunks::<16>().0 {
        name = (name ^ u128::from_le_bytes(*word)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        name ^= name >> 64;
    }
    let mut id = [0; FILE_ID_OCTETS];
    id[..16].copy_from_slice(&name.to_le_bytes());
    id
}
