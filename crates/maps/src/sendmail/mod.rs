//! sendmail's files, and those of its ancestors: the access database, the older `deny`, classes of domains and networks,
//! the mailertable.

pub(crate) mod access;
pub(crate) mod action;
pub(crate) mod class;
pub(crate) mod deny;
pub(crate) mod domains;
pub(crate) mod relay;
pub(crate) mod route;
pub(crate) mod source;
pub(crate) mod tag;
