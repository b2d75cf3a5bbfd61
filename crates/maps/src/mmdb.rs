//! MaxMind DB files (version 2.0 of the format): in which country an address is, and to which autonomous system it belongs, as
//! whoever made the file has it. What it says is no more than a guess, and nothing here gives a right.
//!
//! Of a record only `country.iso_code` (else `registered_country.iso_code`) and `autonomous_system_number` are read.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use crate::mistake::Mistake;

/// A tree of as many nodes has at most one leaf more; some files have further ways to their IPv4 part. More leaves than so many
/// times its nodes are a tree that goes in circles.
const LEAVES_A_NODE: u64 = 3;
/// What is told of why a file is broken, in characters.
const WHY_CHARS_MAX: usize = 200;

/// A country's code by ISO 3166-1: two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryCode(pub [u8; 2]);

/// What is known of where an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Its country; `None`: not known.
    pub country: Option<CountryCode>,
    /// The number of its autonomous system (RFC 6793); `None`: not known.
    pub asn: Option<u32>,
}

/// A file that was taken: each record of it can be read.
#[derive(Debug)]
pub struct Mmdb {
    file: Arc<str>,
    reader: Reader<Vec<u8>>,
    networks: usize,
    has: Has,
}

/// What its records tell of.
#[derive(Debug, Default)]
struct Has {
    countries: bool,
    systems: bool,
}

#[derive(Deserialize)]
struct Record<'r> {
    #[serde(borrow)]
    country: Option<Place<'r>>,
    #[serde(borrow)]
    registered_country: Option<Place<'r>>,
    autonomous_system_number: Option<u32>,
}

#[derive(Deserialize)]
struct Place<'r> {
    iso_code: Option<&'r str>,
}

impl CountryCode {
    /// Two capital letters; what is anything else is no code.
    pub fn parse(text: &str) -> Option<Self> {
        let code = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl Origin {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// What it leaves open, from another file.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { country: self.country.or(other.country), asn: self.asn.or(other.asn) }
    }
}

/// `country=JP asn=64500`, without what is not known.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(country) = self.country {
            write!(f, "country={country}")?;
        }
        if let Some(asn) = self.asn {
            write!(f, "{}asn={asn}", if self.country.is_some() { " " } else { "" })?;
        }
        Ok(())
    }
}

impl Mmdb {
    /// Takes a file's octets. All of its networks are walked through once, so that what is broken is found now and not with the
    /// address that meets it. `file_name` is for messages.
    ///
    /// # Errors
    /// It is no such file, or a cut or an altered one, or has records of another kind.
    pub fn parse(file_name: &str, octets: Vec<u8>) -> Result<Self, Mistake> {
        let reader = Reader::from_source(octets).map_err(|error| broken(file_name, &error.to_string()))?;
        let mut taken = Self { file: file_name.into(), reader, networks: 0, has: Has::default() };
        taken.walk().map_err(|why| broken(file_name, &why))?;
        if !taken.has.countries && !taken.has.systems {
            let what = "no record has `country.iso_code`, `registered_country.iso_code` or `autonomous_system_number`";
            let hint = "name a file of countries or of autonomous systems";
            return Err(mistake(file_name, what.to_owned(), hint));
        }
        Ok(taken)
    }

    fn walk(&mut self) -> Result<(), String> {
        let told = |error: MaxMindDbError| error.to_string();
        let all = WithinOptions::default().include_networks_without_data();
        let leaves_max = u64::from(self.reader.metadata().node_count) * LEAVES_A_NODE;
        let (mut leaves, mut networks, mut has) = (0_u64, 0, Has::default());
        let mut read = HashSet::new();
        for leaf in self.reader.networks(all).map_err(told)? {
            let leaf = leaf.map_err(told)?;
            leaves += 1;
            if leaves > leaves_max {
                return Err("its tree goes in circles".to_owned());
            }
            let Some(offset) = leaf.offset() else { continue };
            networks += 1;
            // Many networks have one record.
            if read.insert(offset) {
                let record: Option<Record<'_>> = leaf.decode().map_err(told)?;
                let origin = record.map(|record| record.origin()).unwrap_or_default();
                has.countries |= origin.country.is_some();
                has.systems |= origin.asn.is_some();
            }
        }
        (self.networks, self.has) = (networks, has);
        Ok(())
    }

    /// What it has of an address; an IPv4-mapped one is IPv4. What cannot be read is not known.
    pub fn origin(&self, address: IpAddr) -> Origin {
        let found = self.reader.lookup(address.to_canonical()).and_then(|found| found.decode::<Record<'_>>());
        found.ok().flatten().map(|record| record.origin()).unwrap_or_default()
    }

    /// As the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many networks have a record.
    pub fn networks(&self) -> usize {
        self.networks
    }

    /// Whether it knows a country of any network.
    pub fn has_countries(&self) -> bool {
        self.has.countries
    }

    /// Whether it knows an autonomous system of any network.
    pub fn has_systems(&self) -> bool {
        self.has.systems
    }
}

impl Record<'_> {
    fn origin(&self) -> Origin {
        let code = |place: &Option<Place<'_>>| place.as_ref()?.iso_code.and_then(CountryCode::parse);
        Origin {
            country: code(&self.country).or_else(|| code(&self.registered_country)),
            // 0 is nobody's (RFC 7607).
            asn: self.autonomous_system_number.filter(|asn| *asn != 0),
        }
    }
}

fn broken(file_name: &str, why: &str) -> Mistake {
    // It may hold what stands in the file.
    let why: String =
        why.chars().take(WHY_CHARS_MAX).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    mistake(file_name, format!("this is no whole MaxMind DB file: {why}"), "fetch it again, and put it there whole")
}

fn mistake(file_name: &str, what: String, hint: &str) -> Mistake {
    Mistake { file: file_name.into(), line: 1, column: 1, what, hint: hint.to_owned() }
}
