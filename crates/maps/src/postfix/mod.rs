//! Postfix's tables with fixed keys, and of networks.

pub(crate) mod cidr;
pub(crate) mod keys;
