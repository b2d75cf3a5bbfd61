//! sendmail's files: the access database, classes of domains, the mailertable.

pub(crate) mod keys;
pub(crate) mod route;
