//! The server's half of DRAC: what a call asks, and the reply to it. It knows no socket, and needs no memory per call.
//!
//! The order of checks is the original server's: header, program, version, credential, procedure, arguments; only then whether
//! the caller may ([`crate::allow`]) and whether the address can be granted at all, which are the
//! caller's business. The null procedure is open to everybody. Octets after the arguments are ignored.
//!
//! There is no cache of calls that were seen: a retransmission is done again, which renews what it added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rpc::{NoCall, Program, Reply, read_call};
use crate::xdr::{Malformed, Reader};
use crate::{AddResult, PROGRAM};

/// DRAC in both its versions.
pub const SERVED: Program = Program { number: PROGRAM, low: 1, high: 2 };

/// Octets of a datagram that a server takes in. What is behind them could only follow the arguments.
pub const DATAGRAM_OCTETS_MAX: usize = 9_000;

const NULL: u32 = 0;
const ADD: u32 = 1;
const IPV6_OCTETS: usize = 16;

/// What to do with a message, be it a datagram or a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing: it is no call, or its header is not whole.
    Silence,
    /// Answer this; it asks for nothing.
    Reply(Reply),
    /// An address is to be added, if the caller may.
    Add(Add),
}

/// A call to add an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add {
    xid: u32,
    address: IpAddr,
}

impl Add {
    /// The address to be added; never a v4-mapped one, which would not be found again.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The reply, 28 octets.
    pub fn reply(&self, result: AddResult) -> Reply {
        Reply::word(self.xid, result.number())
    }
}

/// Reads a message.
pub fn decode(message: &[u8]) -> Decoded {
    let call = match read_call(message, SERVED) {
        Ok(call) => call,
        Err(NoCall::Silence) => return Decoded::Silence,
        Err(NoCall::Reply(reply)) => return Decoded::Reply(reply),
    };
    match call.procedure {
        NULL => Decoded::Reply(Reply::done(call.xid)),
        ADD => match read_address(call.version, call.arguments) {
            Ok(address) => Decoded::Add(Add { xid: call.xid, address }),
            Err(Malformed) => Decoded::Reply(Reply::garbage_arguments(call.xid)),
        },
        _ => Decoded::Reply(Reply::procedure_unavailable(call.xid)),
    }
}

fn read_address(version: u32, mut arguments: Reader<'_>) -> Result<IpAddr, Malformed> {
    if version == 1 {
        return Ok(Ipv4Addr::from_bits(arguments.word()?).into());
    }
    let mut octets = [0; IPV6_OCTETS];
    for octet in &mut octets {
        // A word for each octet, and where C's char has a sign it was extended: only the lowest eight bits count.
        [_, _, _, *octet] = arguments.word()?.to_be_bytes();
    }
    Ok(Ipv6Addr::from_octets(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use proptest::prelude::*;

    proptest! {
        /// Whatever came: no panic, nothing is read behind the end, and what is cut off is never an add.
        #[test]
        fn what_is_cut_short_adds_nothing(address: IpAddr, xid: u32, cut in 0_usize..104) {
            let mut message = Vec::new();
            crate::client::put_add(&mut message, xid, address);
            let Decoded::Add(add) = decode(&message) else { panic!("an add") };
            prop_assert_eq!(add.address(), address.to_canonical());
            let whole = if Version::of(address) == Version::V1 { 44 } else { 104 };
            prop_assert_eq!(message.len(), whole);
            let short = decode(&message[..cut.min(whole - 1)]);
            prop_assert_eq!(matches!(short, Decoded::Silence), cut.min(whole - 1) < 40);
            prop_assert!(!matches!(short, Decoded::Add(_)));
        }

        #[test]
        fn any_octets_are_answered_or_not(message: Vec<u8>) {
            if let Decoded::Reply(reply) = decode(&message) {
                prop_assert!(reply.octets().len() <= message.len());
            }
        }
    }

    #[test]
    fn t19_v2_words_are_masked_to_octets() {
        let mut message = Vec::new();
        crate::client::put_add(&mut message, 1, "fe80::b8ff".parse().unwrap());
        let (head, words) = message.split_at_mut(40);
        for fill in [0x00, 0x12, 0xff] {
            for word in words.chunks_exact_mut(4) {
                word[..3].fill(fill);
            }
            let mut sent = head.to_vec();
            sent.extend_from_slice(words);
            let Decoded::Add(add) = decode(&sent) else { panic!("an add") };
            assert_eq!(add.address(), "fe80::b8ff".parse::<IpAddr>().unwrap());
        }
    }
}
