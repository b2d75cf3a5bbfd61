//! Postfix's tables of keys and of networks: how their sources are read, which keys smtpd tries, what a value means.
//! Those of patterns are in [`pattern`](crate::pattern).

pub(crate) mod action;
pub(crate) mod cidr;
pub(crate) mod keys;
pub(crate) mod source;
