//! What a value tells a server to do, by whose file it stands in.

use crate::action::{Action, Reply};
use crate::kind::Kind;
use crate::{postfix, sendmail};

/// What a value of a table of this kind means.
pub fn action(kind: Kind, value: &str) -> Action {
    match kind {
        Kind::SendmailAccess => sendmail::action::access(value),
        Kind::Deny => sendmail::action::deny(value),
        Kind::LocalHostNames => Action::Ok,
        Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::RelayDomains => Action::Relay,
        Kind::HostsAllow if value == "allow" => Action::Ok,
        Kind::HostsAllow => Action::Reject(Reply::default()),
        Kind::Mailertable | Kind::Mmdb => Action::Unsupported(value.to_owned()),
        Kind::Access
        | Kind::Cidr
        | Kind::Pcre
        | Kind::Regexp
        | Kind::Hash
        | Kind::Btree
        | Kind::Sqlite
        | Kind::Pgsql => postfix::action::access(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t04_no_word_of_a_list_is_a_right() {
        // Whatever is in these files, a verdict of the list is at most "ends here".
        for kind in Kind::all() {
            for word in ["OK", "RELAY", "permit", "permit_mynetworks", "PERMIT", "1"] {
                let meant = action(kind, word);
                assert!(
                    matches!(meant, Action::Ok | Action::Relay | Action::Unsupported(_) | Action::Reject(_)),
                    "{kind} {word}: {meant:?}"
                );
            }
        }
    }
}
