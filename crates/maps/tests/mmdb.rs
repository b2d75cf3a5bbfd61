//! MaxMind DB files: what is read of them, and that no cut or altered one does any harm. `data/make_mmdb.py` says how the files
//! beside it were made.
//!
//! The library that reads them checks each place before it reads there: no input below makes it panic.

use std::net::IpAddr;

use maps::{Kind, Mmdb, Table};
use proptest::prelude::*;

const BOTH: &[u8] = include_bytes!("data/documentation.mmdb");
const SYSTEMS: &[u8] = include_bytes!("data/systems.mmdb");
const OTHER: &[u8] = include_bytes!("data/other.mmdb");

const ADDRESSES: [&str; 10] = [
    "192.0.2.7",
    "192.0.2.200",
    "198.51.100.7",
    "203.0.113.7",
    "198.18.0.1",
    "2001:db8::7",
    "2001:db8:ffff::7",
    "::ffff:192.0.2.7",
    "::",
    "255.255.255.255",
];

fn said(file: &Mmdb, address: &str) -> String {
    file.origin(address.parse().expect("an address")).to_string()
}

#[test]
fn an_address_has_a_country_and_a_system_as_far_as_they_are_known() {
    let both = Mmdb::parse("both", BOTH.to_vec()).unwrap();
    assert!(both.has_countries() && both.has_systems());
    let expected = [
        "country=XA asn=64500",
        // Its own country has no code.
        "country=XB",
        "asn=64501",
        "",
        "",
        "country=XC asn=4200000000",
        "",
        "country=XA asn=64500",
        "",
        "",
    ];
    for (address, expected) in ADDRESSES.into_iter().zip(expected) {
        assert_eq!(said(&both, address), expected, "{address}");
    }
    let systems = Mmdb::parse("systems", SYSTEMS.to_vec()).unwrap();
    assert!(!systems.has_countries() && systems.has_systems());
    assert_eq!(said(&systems, "192.0.2.7"), "asn=64510");
    assert_eq!(said(&systems, "2001:db8::7"), "", "it has IPv4 only");
    let address: IpAddr = "203.0.113.7".parse().unwrap();
    assert_eq!(both.origin(address).or(systems.origin(address)).to_string(), "asn=64511");
}

#[test]
fn a_table_of_it_is_asked_by_address() {
    let table = Table::parse_octets(Kind::Mmdb, "both", BOTH).unwrap();
    assert!(table.len() >= 5, "{}", table.len());
    assert_eq!(table.get("192.0.2.7").unwrap().value, "country=XA asn=64500");
    for nothing in ["198.18.0.1", "192.0.2.0/24", "example.com", ""] {
        assert_eq!(table.get(nothing), None, "{nothing}");
    }
    assert_eq!((table.values().count(), table.relay_entries().count()), (0, 0));
}

#[test]
fn what_is_no_such_file_is_named() {
    let refused = |octets: &[u8]| Mmdb::parse("a.mmdb", octets.to_vec()).unwrap_err().to_string();
    for octets in [&b""[..], b"192.0.2.0/24 JP\n", &BOTH[..BOTH.len() / 2], &BOTH[BOTH.len() / 2..]] {
        let why = refused(octets);
        assert!(why.starts_with("a.mmdb:1:1: this is no whole MaxMind DB file: "), "{why}");
        assert!(why.ends_with("; fetch it again, and put it there whole"), "{why}");
    }
    let why = refused(OTHER);
    assert!(why.contains("no record has `country.iso_code`"), "{why}");
    assert!(Table::parse(Kind::Mmdb, "a.mmdb", "192.0.2.0/24 JP\n").is_err());
}

/// Whatever is taken answers.
fn read(octets: Vec<u8>) {
    match Mmdb::parse("hostile", octets) {
        Ok(file) => ADDRESSES.iter().for_each(|address| drop(said(&file, address))),
        Err(mistake) => assert!(!mistake.to_string().contains('\n'), "{mistake}"),
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_or_whole() {
    for end in 0..BOTH.len() {
        read(BOTH[..end].to_vec());
    }
}

/// Each octet by itself, and each pair of a node's as if it led elsewhere.
#[test]
fn a_file_with_one_wrong_octet_does_no_harm() {
    for at in 0..SYSTEMS.len() {
        for octet in [0, 1, 0x1f, 0x20, 0x40, 0x7f, 0x80, 0xe0, 0xff, SYSTEMS[at] ^ 1] {
            let mut octets = SYSTEMS.to_vec();
            octets[at] = octet;
            read(octets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(512), ..ProptestConfig::default() })]

    #[test]
    fn an_altered_file_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut octets = BOTH.to_vec();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Some(cut) = cut {
            octets.drain(..cut.index(octets.len()));
        }
        read(octets);
    }
}
