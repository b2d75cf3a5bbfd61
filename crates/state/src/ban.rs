//! A ban as it is kept, and how long it lasts.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// The first ban of an address.
pub const SPAN_FIRST: Duration = Duration::from_hours(1);
/// The longest that comes by offences.
pub const SPAN_MAX: Duration = Duration::from_hours(24);
/// The longest by hand.
pub const SPAN_BY_HAND_MAX: Duration = Duration::from_hours(24 * 366);
/// How long after its end a ban counts for the span of the next.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// Octets of a reason.
pub const REASON_OCTETS_MAX: usize = 200;
/// An IPv6 subscriber has a whole network of so many bits.
const IPV6_BITS: u8 = 64;

/// A ban that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// An IPv4 address, or the first of an IPv6 /64.
    pub addr: IpAddr,
    /// An offence's code, or the operator's words.
    pub reason: String,
    /// When it began.
    pub since: SystemTime,
    /// When it ends.
    pub ends: SystemTime,
    /// How many bans before it were remembered when it began.
    pub before: u8,
}

/// A ban to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewBan<'a> {
    /// See [`Ban::addr`].
    pub(crate) addr: IpAddr,
    pub(crate) reason: &'a str,
    pub(crate) span: Span,
}

/// How long a ban lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// By how many there were before. One that has not ended stays as it is.
    ByHistory,
    /// So long from now on, in the place of one that has not ended.
    Given(Duration),
}

/// What came of a ban that was to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It began now.
    Now(Ban),
    /// There was one already.
    Before(Ban),
}

/// Who is banned together: an IPv4 address, an IPv6 /64.
pub(crate) fn subscriber(addr: IpAddr) -> IpAddr {
    guard::cut_ipv6(addr, IPV6_BITS)
}
