//! SMTP AUTH of Postfix and Exim from our accounts, and POP logins that others let us check.

use super::{Served, Visit};
use crate::listen::Link;

/// Serves one connection.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn serve(_visit: &Visit, _link: Link) -> Served {
    Err(std::io::ErrorKind::Unsupported.into())
}
