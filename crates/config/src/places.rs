//! Whether each thing has its place for itself: sockets that the system would not give twice, and one path for two of them.

use crate::file::{File, Settings};
use crate::reading::Reading;
use crate::section::listener::Protocol;
use crate::section::relay::Rpcbind;
use crate::value;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

/// Longest path of a Unix socket in octets: what `sockaddr_un` holds with the zero behind it, on the smallest system (BSD: 104).
const SOCKET_PATH_OCTETS_MAX: usize = 103;
/// Where a port mapper is asked (RFC 1833 §3).
const PORT_MAPPER: u16 = 111;

/// One entry of `bind`.
struct Place<'f> {
    /// Its key.
    path: String,
    /// The listener's name.
    name: &'f str,
    is_drac: bool,
    at: At,
}

enum At {
    Inet(SocketAddr),
    Unix(PathBuf),
}

/// All of it, each mistake at the later of two.
pub(crate) fn check(file: &File, settings: &Settings, reading: &mut Reading<'_>) {
    let places = places(file, reading);
    for (index, place) in places.iter().enumerate() {
        match &place.at {
            At::Inet(addr) => inet(place, *addr, &places[..index], reading),
            At::Unix(socket) => unix(place, socket, &places[..index], reading),
        }
    }
    let admin = &settings.admin.socket;
    if let Some(wrong) = socket_path(admin) {
        reading.wrong("admin.socket", format!("`admin.socket`: {wrong}"), "a shorter path");
    }
    let account = &settings.account.socket;
    if let Some(wrong) = socket_path(account) {
        reading.wrong("account.socket", format!("`account.socket`: {wrong}"), "a shorter path");
    }
    if plain(account) == plain(admin) {
        let message = format!("unix:{} is the socket of the admin API", admin.display());
        reading.wrong("account.socket", message, "another path: users of this machine may write to this one");
    }
    let is_account = |place: &&Place<'_>| matches!(&place.at, At::Unix(socket) if plain(socket) == plain(account));
    if let Some(place) = places.iter().find(is_account) {
        let message = format!("unix:{} is the socket of [account]", account.display());
        reading.wrong(&place.path, message, "another path, or another account.socket");
    }
    let is_admin = |place: &&Place<'_>| matches!(&place.at, At::Unix(socket) if plain(socket) == plain(admin));
    if let Some(place) = places.iter().find(is_admin) {
        let message = format!("unix:{} is the socket of the admin API", admin.display());
        reading.wrong(&place.path, message, "another path, or another admin.socket");
    }
    if settings.relay.drac.rpcbind == Rpcbind::Answer {
        port_mapper(&places, reading);
    }
}

/// What can be read of every `bind`; what cannot was told.
fn places<'f>(file: &'f File, reading: &Reading<'_>) -> Vec<Place<'f>> {
    let mut places = Vec::new();
    for (number, listener) in file.listener.iter().enumerate() {
        for (index, text) in listener.bind.iter().enumerate() {
            let at = match text.strip_prefix("unix:") {
                Some(socket) => At::Unix(reading.below(socket)),
                None => match value::socket_addr(text, None) {
                    Ok(addr) => At::Inet(addr),
                    Err(_) => continue,
                },
            };
            let path = format!("listener[{number}].bind[{index}]");
            places.push(Place { path, name: &listener.name, is_drac: listener.protocol == Protocol::Dracd, at });
        }
    }
    places
}

fn inet(place: &Place<'_>, addr: SocketAddr, before: &[Place<'_>], reading: &mut Reading<'_>) {
    let path = &place.path;
    if let IpAddr::V6(v6) = addr.ip()
        && v6.to_ipv4_mapped().is_some()
    {
        let hint = "write the IPv4 address itself";
        reading.wrong(path, format!("`{path}`: an IPv6 socket takes IPv6 only"), hint);
    }
    let found = before.iter().find_map(|other| match &other.at {
        At::Inet(at) if overlap(*at, addr) => Some((other.name, *at)),
        _ => None,
    });
    let Some((name, other)) = found else { return };
    let message = if other == addr {
        format!("two listeners at {addr}")
    } else {
        format!("{addr} is taken by {other} of listener `{name}`")
    };
    let hint = if other == addr {
        "each address and port once"
    } else {
        "0.0.0.0 and [::] are all addresses of their kind: remove one"
    };
    reading.wrong(path, message, hint);
}

/// Whether the system would refuse the second: IPv6 sockets take IPv6 only, so that the kinds are apart.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip(), other.ip());
    one.port() == other.port() && a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn unix(place: &Place<'_>, socket: &Path, before: &[Place<'_>], reading: &mut Reading<'_>) {
    let path = &place.path;
    if let Some(wrong) = socket_path(socket) {
        reading.wrong(path, format!("`{path}`: {wrong}"), "a shorter path");
    }
    let is_taken = |other: &Place<'_>| matches!(&other.at, At::Unix(other) if plain(other) == plain(socket));
    if before.iter().any(is_taken) {
        reading.wrong(path, format!("two listeners at unix:{}", socket.display()), "each socket once");
    }
}

fn socket_path(path: &Path) -> Option<String> {
    let octets = path.as_os_str().len();
    (octets > SOCKET_PATH_OCTETS_MAX).then(|| {
        format!(
            "the path of a Unix socket has at most {SOCKET_PATH_OCTETS_MAX} octets, and {} has {octets}",
            path.display()
        )
    })
}

/// A path without `.` and `..`, as far as that is to be known without a look at the disk.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// With `rpcbind = "answer"` we are the port mapper wherever DRAC listens.
fn port_mapper(places: &[Place<'_>], reading: &mut Reading<'_>) {
    let inet = |place: &Place<'_>| match place.at {
        At::Inet(addr) => Some(addr),
        At::Unix(_) => None,
    };
    let drac = places.iter().filter(|place| place.is_drac).filter_map(inet);
    let mapper: Vec<SocketAddr> = drac.map(|it| SocketAddr::new(it.ip(), PORT_MAPPER)).collect();
    let taken = |place: &&Place<'_>| inet(place).is_some_and(|it| mapper.iter().any(|at| overlap(*at, it)));
    if let Some(place) = places.iter().find(taken) {
        let message = format!("relay.drac.rpcbind = \"answer\" takes port {PORT_MAPPER} there");
        reading.wrong(&place.path, message, "another port for the listener, or rpcbind = \"register\"");
    }
}

#[cfg(test)]
mod tests {
    use crate::Text;
    use std::fmt::Write as _;
    use std::path::Path;

    /// The first mistake with listeners of these protocols and places; empty: there is none.
    fn told(listeners: &[(&str, &str)], more: &str) -> String {
        let mut text = format!("hostname = \"mail.example.test\"\ndata_dir = \"/x\"\n{more}\n");
        for (index, (protocol, bind)) in listeners.iter().enumerate() {
            let _ = write!(text, "[[listener]]\nname = \"l{index}\"\nprotocol = \"{protocol}\"\nbind = [{bind}]\n");
        }
        let parsed = crate::parse(&Text { name: "t.toml", text: &text, base_dir: Path::new("/x") }, &[]);
        let Err(report) = parsed else { return String::new() };
        report.mistakes().map(|(_, mistake)| mistake.message.clone()).next().unwrap_or_default()
    }

    #[test]
    fn two_listeners_are_at_two_places() {
        let long = format!("\"unix:/{}\"", "a".repeat(110));
        for (listeners, more, expected) in [
            (&[("smtp", "\"0.0.0.0:25\", \"[::]:25\"")][..], "", ""),
            (&[("smtp", "\"0.0.0.0:25\""), ("pop3", "\"127.0.0.1:110\"")], "", ""),
            (&[("smtp", "\"192.0.2.1:25\""), ("smtp", "\"192.0.2.2:25\"")], "", ""),
            (&[("smtp", "\"[::]:25\""), ("smtp", "\"127.0.0.1:25\"")], "", ""),
            (
                &[("smtp", "\"0.0.0.0:25\""), ("smtp", "\"127.0.0.1:25\"")],
                "",
                "127.0.0.1:25 is taken by 0.0.0.0:25 of listener `l0`",
            ),
            (
                &[("smtp", "\"127.0.0.1:25\""), ("smtp", "\"0.0.0.0:25\"")],
                "",
                "0.0.0.0:25 is taken by 127.0.0.1:25 of listener `l0`",
            ),
            (&[("smtp", "\"[::]:25\", \"[::1]:25\"")], "", "[::1]:25 is taken by [::]:25 of listener `l0`"),
            (&[("smtp", "\"[::1]:25\", \"[0:0:0:0:0:0:0:1]:25\"")], "", "two listeners at [::1]:25"),
            (&[("smtp", "\"[::ffff:127.0.0.1]:25\"")], "", "`listener[0].bind[0]`: an IPv6 socket takes IPv6 only"),
            (
                &[("policy", "\"unix:p\""), ("milter", "\"unix:/x/./run/../p\"")],
                "",
                "two listeners at unix:/x/./run/../p",
            ),
            (&[("policy", "\"unix:admin.sock\"")], "", "unix:/x/admin.sock is the socket of the admin API"),
            (&[("policy", "\"unix:p\"")], "[admin]\nsocket = \"/x/p\"", "unix:/x/p is the socket of the admin API"),
            (&[("policy", &long)], "", "`listener[0].bind[0]`: the path of a Unix socket has at most 103 octets"),
            (&[("dracd", "\"127.0.0.1:900\""), ("smtp", "\"127.0.0.1:111\"")], "", ""),
        ] {
            let told = told(listeners, more);
            assert!(
                if expected.is_empty() { told.is_empty() } else { told.starts_with(expected) },
                "{listeners:?}: {told}"
            );
        }
        let mapper = "[relay.drac]\nrpcbind = \"answer\"";
        let both = [("dracd", "\"127.0.0.1:900\""), ("smtp", "\"0.0.0.0:111\"")];
        assert!(told(&both, mapper).starts_with("relay.drac.rpcbind = \"answer\" takes port 111"));
        let socket = format!("[admin]\nsocket = \"/{}\"", "a".repeat(110));
        assert!(told(&[], &socket).starts_with("`admin.socket`: the path of a Unix socket"));
    }
}
