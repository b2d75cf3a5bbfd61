//! Dovecot's authentication policy over HTTP: logins become grants, failures count as ours do.

use super::{Served, Visit};
use crate::listen::Link;

/// Serves one connection.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn serve(_visit: &Visit, _link: Link) -> Served {
    Err(std::io::ErrorKind::Unsupported.into())
}
