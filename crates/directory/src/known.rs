//! The one form of a login.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A login in the one form in which the directory has it: in lower case, a short name in the default domain. Only the
/// [`Directory`](crate::Directory) makes it, so that whatever is counted, revoked or listed by a login is the same thing however
/// its name was written. It need not be anybody's.
/// ```compile_fail,E0423
/// let forged = directory::KnownLogin(std::sync::Arc::from("Alice"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownLogin(Arc<str>);

impl KnownLogin {
    pub(crate) fn new(login: impl Into<Arc<str>>) -> Self {
        Self(login.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for KnownLogin {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KnownLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KnownLogin> for String {
    fn from(login: KnownLogin) -> Self {
        login.0.as_ref().to_owned()
    }
}
