//! Tests of a host from outside: whether it relays for strangers, on which lists it stands, what its DNS and its TLS say.

pub mod asking;
pub mod blocklists;
pub mod dns;
pub mod finding;
pub mod publish;
pub mod relay;
pub mod selfprobe;
pub mod target;
pub mod tls;
