//! Any text is a list or an error; a list without an entry permits nobody, and none permits both halves of the Internet.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use drac::allow::{Allow, Loaded};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(Loaded { allow, warnings }) = Allow::parse("dracd.allow", text) else { return };
    let lines = text.split(|&octet| octet == b'\n').count();
    for warning in &warnings {
        assert!(warning.place.line <= lines && warning.place.column <= text.len() + 1);
        assert!(warning.to_string().chars().all(|c| !c.is_control()), "{warning}");
    }
    if allow.is_empty() {
        assert!(!warnings.is_empty() && !allow.allows(Ipv4Addr::LOCALHOST.into()));
    }
    // One entry reaches a 256th of all addresses at most.
    let addresses = (0..=255_u8)
        .map(|n| IpAddr::from(Ipv4Addr::new(n, n.wrapping_mul(151), n.wrapping_mul(89), n.wrapping_mul(61))));
    if lines == 1 {
        assert!(addresses.filter(|address| allow.allows(*address)).count() <= 1 + 128);
    }
});
