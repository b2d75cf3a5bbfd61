//! DRAC, the Dynamic Relay Authorization Control protocol: ONC RPC program 900101, versions 1 and 2.
//!
//! A POP or IMAP server calls `add` with the address of a user who has just logged in; the server remembers it for a while, and
//! a mail server lets that address relay. Here is what goes over the wire on both sides, and who may say it; what becomes of an
//! address that was added is decided elsewhere.
//!
//! * [`xdr`], [`rpc`], [`record`]: RFC 4506 and RFC 5531, as far as DRAC needs them, strictly within the octets that came.
//! * [`server`]: from a call to what must be answered.
//! * [`allow`]: `dracd.allow`, who may add.
//! * [`portmap`]: what port 111 is asked and answers; [`rpcbind`]: registering with the one who listens there.
//! * [`client`]: adding an address, in bounded time; [`call`] is its one exchange over UDP.

use std::net::IpAddr;

pub mod allow;
pub mod call;
pub mod client;
pub mod portmap;
pub mod record;
pub mod rpc;
pub mod rpcbind;
pub mod server;
pub mod xdr;

/// The ONC RPC program number of DRAC.
pub const PROGRAM: u32 = 900_101;

/// What a version of the program can add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 1: an IPv4 address, as one word.
    V1,
    /// Version 2: an IPv6 address, as sixteen words.
    V2,
}

impl Version {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// The version that can add this address. A v4-mapped IPv6 address is an IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() { Self::V1 } else { Self::V2 }
    }
}

/// What the server says to an add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddResult {
    /// 0: the address is authorized.
    Succeeded,
    /// 1: this caller may not add.
    PermissionDenied,
    /// 2: the address cannot be added, or could not be stored.
    SystemError,
}

impl AddResult {
    /// The number on the wire, and the return value of the C library.
    pub fn number(self) -> u32 {
        match self {
            Self::Succeeded => 0,
            Self::PermissionDenied => 1,
            Self::SystemError => 2,
        }
    }

    /// The result of that number; `None` for numbers without a meaning.
    pub fn of_number(number: u32) -> Option<Self> {
        [Self::Succeeded, Self::PermissionDenied, Self::SystemError]
            .into_iter()
            .find(|result| result.number() == number)
    }
}
