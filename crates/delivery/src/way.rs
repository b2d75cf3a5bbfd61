//! Where a recipient's copy goes, by the route of the moment.

use spool::Target;

use crate::config::RemoteRoute;
use crate::destination::Destination;
use crate::local::LocalTarget;

/// Into a Maildir, or to a host.
pub(crate) enum Way {
    Local(LocalTarget),
    Remote(Destination),
}

pub(crate) fn way(route: &RemoteRoute, target: &Target) -> Way {
    match (target, route) {
        (Target::Maildir { account }, _) => Way::Local(LocalTarget::Account(account.clone())),
        (Target::NextHop { server }, _) => Way::Remote(Destination::NextHop(server.clone())),
        (Target::Lmtp { server }, _) => Way::Remote(Destination::Lmtp(server.clone())),
        (Target::Remote { .. }, RemoteRoute::Sink(path)) => Way::Local(LocalTarget::Sink(path.clone())),
        (Target::Remote { .. }, RemoteRoute::Smarthost(_)) => Way::Remote(Destination::Smarthost),
        (Target::Remote { host }, RemoteRoute::Mx(_)) => Way::Remote(Destination::Domain(host.to_ascii_lowercase())),
    }
}
