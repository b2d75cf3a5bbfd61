//! Clients as the Internet has them, out of networks that are kept for benchmarks and for documents: a server under test takes
//! them for strangers, which it never does with loopback.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::args::Args;

/// 198.18.0.0/15 (RFC 2544).
const NAMED_NET: u32 = 0xc612_0000;
/// So many clients have a name.
const NAMED_MAX: u32 = 1 << 17;
/// What stands for the digits of a number in a name, which shall look like a server's and not like a line's.
const LETTERS: &[u8; 16] = b"bcdfghklmnprstvw";

/// So many clients, one after the other.
pub struct Clients {
    first: u32,
    count: u32,
}

impl Clients {
    /// `--clients N`, the `--first-client`th of all the first; `None`: there are none but loopback.
    pub fn new(args: &Args<'_>) -> Result<Option<Self>, String> {
        let first = args.optional("first-client")?.unwrap_or(0);
        Ok(args.optional::<u32>("clients")?.map(|count| Self { first, count: count.max(1) }))
    }

    /// That of a session.
    pub fn of_turn(&self, turn: u64) -> Ipv4Addr {
        named(self.first.wrapping_add(u32::try_from(turn % u64::from(self.count)).unwrap_or(0)))
    }
}

/// The `index`th client that has a name; behind the last comes the first again.
pub fn named(index: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NAMED_NET + index % NAMED_MAX)
}

/// The `index`th client that has none: each in a /64 of its own, of `2001:db8::/32` (RFC 3849).
pub fn nameless(index: u32) -> Ipv6Addr {
    let [high, low] = [index >> 16, index & 0xffff].map(|half| u16::try_from(half).unwrap_or(0));
    Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 25)
}

/// `--named N` and `--nameless N`, the `--first-nameless`th of these the first; loopback addresses where neither is said.
pub fn told_of(args: &Args<'_>, otherwise: impl Fn() -> Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
    let number = |name| args.optional::<u32>(name).map(Option::unwrap_or_default);
    let (with_name, without, first) = (number("named")?, number("nameless")?, number("first-nameless")?);
    if with_name + without == 0 {
        return Ok(otherwise());
    }
    let without = (first..first + without).map(|index| IpAddr::V6(nameless(index)));
    Ok((0..with_name).map(|index| IpAddr::V4(named(index))).chain(without).collect())
}

/// The name of a client, which it greets with, and to which DNS leads from its address and back.
pub fn name(client: Ipv4Addr) -> String {
    let number = client.to_bits().wrapping_sub(NAMED_NET);
    let mut name = "mx.".to_owned();
    for digit in (0..5).rev().map(|place| number >> (4 * place) & 0xf) {
        name.push(char::from(LETTERS[usize::try_from(digit).unwrap_or(0)]));
    }
    // Writing into a string does not fail.
    let _ = write!(name, ".example");
    name
}

/// Whose name it is.
pub fn by_name(name: &str) -> Option<Ipv4Addr> {
    let letters = name.strip_prefix("mx.")?.strip_suffix(".example").filter(|letters| letters.len() == 5)?;
    let number = letters.bytes().try_fold(0, |number, letter| {
        let digit = LETTERS.iter().position(|one| *one == letter)?;
        Some(number << 4 | u32::try_from(digit).ok()?)
    })?;
    (number < NAMED_MAX).then(|| named(number))
}

/// Whether a client has a name.
pub fn has_name(client: Ipv4Addr) -> bool {
    client.to_bits().wrapping_sub(NAMED_NET) < NAMED_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_client() {
        for index in [0, 1, 15, 16, 0xabcd, NAMED_MAX - 1] {
            assert_eq!(by_name(&name(named(index))), Some(named(index)), "{index}");
        }
        assert_eq!(name(named(0x1_2345)), "mx.cdfgh.example");
        for other in ["mx.wwwww.example", "mx.aaaaa.example", "mx.bbbb.example", "stranger.example"] {
            assert_eq!(by_name(other), None, "{other}");
        }
        assert!(has_name(named(NAMED_MAX - 1)) && !has_name(Ipv4Addr::LOCALHOST) && !has_name(Ipv4Addr::BROADCAST));
    }
}
