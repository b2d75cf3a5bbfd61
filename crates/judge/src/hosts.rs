//! Who may connect by `listener.allow` and `listener.deny`: the operator's own lists, before all else. A name is looked up only if it
//! decides. Unknown is no member of `allow`, but whoever may be one is told to come again; nor is it a member of `deny`.

use std::net::IpAddr;
use std::time::Duration;

use config::{ListedClients, Listener};
use dns::Resolver;
use guard::{ConfigLine, Fact};
use maps::{Holds, Name};

use super::client_name::confirmed_name;

/// How long a name may take.
const NAME_WAIT: Duration = Duration::from_secs(5);

/// What the lists say of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Listed<'l> {
    /// It may come in.
    In,
    /// This entry keeps it out.
    Out(&'l ConfigLine),
    /// The entry keeps it out, unless its name, which is not known now, lets it in.
    Perhaps(&'l ConfigLine),
}

/// Asks the lists.
pub async fn ask<'l>(listener: &'l Listener, client: IpAddr, dns: Option<&Resolver>) -> Listed<'l> {
    if listener.deny.is_empty() {
        return Listed::In;
    }
    if let Some(sure) = by_address(listener, client) {
        return sure;
    }
    // Boxed: seldom needed, and a connection must not keep room for it.
    let name = Box::pin(tokio::time::timeout(NAME_WAIT, confirmed_name(dns, client))).await;
    match &name {
        Ok(Fact::Known(Some(name))) => by_name(listener, client, Name::Is(name.domain().as_str())),
        Ok(Fact::Known(None)) => by_name(listener, client, Name::None),
        Ok(Fact::Unknown(_)) | Err(_) => by_name(listener, client, Name::Unknown),
    }
}

/// `None`: the name decides.
fn by_address(listener: &Listener, client: IpAddr) -> Option<Listed<'_>> {
    let held = |list: &[ListedClients]| {
        let each = || list.iter().map(|one| one.clients.hold(client, Name::Unknown));
        if each().any(|held| held == Holds::Yes) {
            Holds::Yes
        } else if each().any(|held| held == Holds::Unknown) {
            Holds::Unknown
        } else {
            Holds::No
        }
    };
    match (held(&listener.allow), held(&listener.deny)) {
        (Holds::Yes, _) | (_, Holds::No) => Some(Listed::In),
        (Holds::No, Holds::Yes) => Some(by_name(listener, client, Name::Unknown)),
        _ => None,
    }
}

fn by_name<'l>(listener: &'l Listener, client: IpAddr, name: Name<'_>) -> Listed<'l> {
    let mut may_be_in = false;
    for allowed in &listener.allow {
        match allowed.clients.hold(client, name) {
            Holds::Yes => return Listed::In,
            Holds::Unknown => may_be_in = true,
            Holds::No => {}
        }
    }
    match listener.deny.iter().find(|denied| denied.clients.hold(client, name) == Holds::Yes) {
        Some(denied) if may_be_in => Listed::Perhaps(&denied.line),
        Some(denied) => Listed::Out(&denied.line),
        None => Listed::In,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn listener(lists: &str) -> Listener {
        let text = format!(
            "hostname = \"mail.example.test\"\n[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:2525\"]\n{lists}"
        );
        let text = config::Text { name: "t.toml", text: &text, base_dir: Path::new("/") };
        let settings = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        settings.listeners.into_iter().next().unwrap()
    }

    #[test]
    fn a_name_that_is_not_known_is_no_member() {
        let client = IpAddr::from([192, 0, 2, 1]);
        let office = Name::Is("a.office.example");
        let (out, perhaps) = (Listed::Out, Listed::Perhaps);
        let line = ConfigLine::new("t.toml", 7);
        let table: [(&str, Name<'_>, Listed<'_>); 8] = [
            ("", Name::Unknown, Listed::In),
            ("allow = [\".office.example\"]\n", Name::None, Listed::In),
            ("allow = [\".office.example\"]\n\ndeny = [\"ALL\"]\n", office, Listed::In),
            ("allow = [\".office.example\"]\ndeny = [\"ALL\"]\n", Name::None, out(&line)),
            ("allow = [\".office.example\"]\ndeny = [\"ALL\"]\n", Name::Unknown, perhaps(&line)),
            ("\ndeny = [\".office.example\"]\n", office, out(&line)),
            ("\ndeny = [\".office.example\"]\n", Name::Unknown, Listed::In),
            ("\ndeny = [\"192.0.2.\"]\n", Name::Unknown, out(&line)),
        ];
        for (lists, name, expected) in table {
            assert_eq!(by_name(&listener(lists), client, name), expected, "{lists} {name:?}");
        }
    }

    #[test]
    fn a_name_is_asked_for_only_if_it_decides() {
        let client = IpAddr::from([192, 0, 2, 1]);
        for (lists, decides) in [
            ("allow = [\".office.example\"]\ndeny = [\"ALL\"]\n", true),
            ("allow = [\".office.example\", \"192.0.2.1\"]\ndeny = [\"ALL\"]\n", false),
            ("allow = [\".office.example\"]\ndeny = [\"198.51.100.\"]\n", false),
            ("deny = [\"KNOWN\"]\n", true),
        ] {
            assert_eq!(by_address(&listener(lists), client).is_none(), decides, "{lists}");
        }
    }
}
