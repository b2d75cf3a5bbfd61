//! What a domain publishes about its mail, read in one way by whoever looks at it: DMARC and MTA-STS. SPF has [`crate::spf`].
//!
//! Answers for: which texts are a record, whose record holds for a domain, and whether a record is sound. Does not answer for: what
//! its owner should do about it.

mod dmarc;
mod sts;
mod tags;

pub use dmarc::{Dmarc, DmarcFault, Policy, Step};
pub use sts::{ID_OCTETS_MAX, sts_id};
pub use tags::{NoTags, Tags, versioned};
