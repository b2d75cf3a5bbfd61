//! Berkeley DB files, btree and hash, written and read whole, without the library: Postfix (`hash:`, `btree:`), sendmail
//! (`hash`, `btree`) and Exim (`dbm`, `dbmnz`) read their maps from such files, and DRAC keeps its database in one.
//!
//! [`write()`] makes a whole file image as version 5.3 of the library would leave it, so a later `postmap -i` or `db_load` may
//! also add to it. [`Reader`] looks keys up in an image and walks over all of them; it takes either byte order, page sizes
//! from 512 to 65,536 octets and the versions 3.1 to 6 of the library, and says by name what it does not read: duplicate
//! keys, several databases in one file, record numbers, compression, checksums, encryption, partitions. A file is hostile
//! until read: a damaged one gives [`BdbError::Damaged`], and no file makes a look-up or a walk take more steps than it has
//! pages and items.
//!
//! # Whether keys end with NUL
//!
//! | who | writes | looks up |
//! |---|---|---|
//! | Postfix | `postmap`: key and value with NUL | with and without |
//! | sendmail | `makemap`: without NUL (`-N`: with) | with and without, unless the map says `-N` or `-O` |
//! | Exim | `exim_dbmbuild`: key and value with NUL (`-nozero`: without) | `dbm`: with; `dbmnz`: without |
//! | DRAC | without NUL (a build option: with) | – |
//!
//! A file has one habit or the other: once Postfix or sendmail found a key, they look in that way only.
//! So [`Options::terminated`] fits a file for Exim's `dbm`; all others also read a file without. DRAC's keys are textual
//! addresses without prefix length, its values the second of expiry since 1970, digits only: Postfix takes an all-numeric
//! value for `OK`.
//!
//! # Replacing a file that others have open
//!
//! The library caches pages, and two processes that share a file without an environment do not see each other's changes; a
//! file must never be changed where it lies. Therefore, for FILE:
//!
//! 1. write the image to a new file beside it, in the same directory, with the owner and mode that FILE shall have
//!    (sendmail refuses a map that its group may write);
//! 2. sync that file;
//! 3. rename it over FILE;
//! 4. sync the directory.
//!
//! A reader that opens FILE sees the old whole file or the new one. A reader that has the old one open keeps seeing it whole
//! until it opens again: Postfix's processes compare the link count and time of what they have open and end themselves after
//! the session in hand; sendmail and Exim open the map anew in the process of each connection. So an entry taken away stays
//! in force for sessions under way. A file cannot fail closed either: when its writer dies, the last entries stay.
//! Postfix warns when a text file of the same name without `.db` is newer; there should be none.
//!
//! The I/O itself is the caller's.

mod layout;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Iter, Pair, Reader};
pub use write::{IMAGE_OCTETS_MAX, Options, VALUE_OCTETS_MAX, write};

/// How a file arranges its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A B+tree: keys in the order of their octets.
    Btree,
    /// A linear hash: keys in buckets.
    Hash,
}

/// Why an image could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BdbError {
    /// Neither a btree's nor a hash's magic number stands where it should, in either byte order.
    #[error("no Berkeley DB btree or hash file")]
    Foreign,
    /// A sound file, as far as one can see, of a sort that is not read here.
    #[error("a Berkeley DB file with {feature}, which is not read here")]
    Unsupported {
        /// What the file has.
        feature: &'static str,
    },
    /// The file contradicts itself. What was read before it is not to be relied on.
    #[error("damaged Berkeley DB file: page {page}: {fault}")]
    Damaged {
        /// Number of the page, from 0.
        page: u32,
        /// What is wrong there.
        fault: &'static str,
    },
    /// The page size asked for does not exist.
    #[error("a page of {octets} octets: only powers of two from 512 to 65,536")]
    PageSize {
        /// What was asked for.
        octets: u32,
    },
    /// A key does not fit: two pairs must fit on a page.
    #[error("a key of {octets} octets where {octets_max} are allowed: \"{}\"…", .start.escape_ascii())]
    KeyTooLong {
        /// Its length, with the NUL if there is one.
        octets: usize,
        /// The longest for this page size.
        octets_max: usize,
        /// Its first octets.
        start: Vec<u8>,
    },
    /// A value above [`VALUE_OCTETS_MAX`].
    #[error("key \"{}\": a value of {octets} octets where {VALUE_OCTETS_MAX} are allowed", .key.escape_ascii())]
    ValueTooLong {
        /// Its key.
        key: Vec<u8>,
        /// Its length, with the NUL if there is one.
        octets: usize,
    },
    /// The same key was given twice.
    #[error("key \"{}\" twice", .key.escape_ascii())]
    DuplicateKey {
        /// The key.
        key: Vec<u8>,
    },
    /// The image would be larger than [`IMAGE_OCTETS_MAX`].
    #[error("a file larger than {IMAGE_OCTETS_MAX} octets")]
    TooLarge,
}
