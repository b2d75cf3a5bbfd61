//! A client list of hosts_access(5) by itself, as `192.0.2. .office.example EXCEPT guest.office.example`, of clients whose names may be
//! asked for.

use std::net::IpAddr;

use super::rule::{self, List, Pattern};
pub use super::rule::{Holds, Name};
use crate::mistake::{Notes, Position, Wrong, shown};

/// Which clients, as written in one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    text: String,
    list: List<Pattern>,
}

impl Clients {
    /// Reads a list; the error says what is wrong with it and what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut notes = Notes::new("");
        let list = rule::list(Position::start_of(1), text, &mut notes, client);
        let mistake = notes.end().err().and_then(|mistakes| mistakes.into_iter().next());
        match (list, mistake) {
            (Some(list), None) => Ok(Self { text: text.trim().to_owned(), list }),
            (_, Some(mistake)) => Err(format!("{}; {}", mistake.what, mistake.hint)),
            (None, None) => Err("an empty list; name at least one, or ALL".to_owned()),
        }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a client is one of them. An address is never IPv4-mapped here.
    pub fn hold(&self, addr: IpAddr, name: Name<'_>) -> Holds {
        // Not by recursion: a line can be long. `a EXCEPT (b EXCEPT (c …))`, from the innermost on.
        let mut parts = Vec::new();
        let mut list = Some(&self.list);
        while let Some(part) = list {
            parts.push(any(part, addr, name));
            list = part.except.as_deref();
        }
        parts.into_iter().rev().fold(Holds::No, |except, these| and(these, not(except)))
    }
}

fn any(list: &List<Pattern>, addr: IpAddr, name: Name<'_>) -> Holds {
    let mut held = Holds::No;
    for pattern in &list.these {
        match pattern.holds(addr, name) {
            Holds::Yes => return Holds::Yes,
            Holds::Unknown => held = Holds::Unknown,
            Holds::No => {}
        }
    }
    held
}

fn not(holds: Holds) -> Holds {
    match holds {
        Holds::Yes => Holds::No,
        Holds::No => Holds::Yes,
        Holds::Unknown => Holds::Unknown,
    }
}

fn and(one: Holds, other: Holds) -> Holds {
    match (one, other) {
        (Holds::No, _) | (_, Holds::No) => Holds::No,
        (Holds::Yes, Holds::Yes) => Holds::Yes,
        _ => Holds::Unknown,
    }
}

/// Names that do not fit their address are no names here, so nobody can be told apart by that.
fn client(word: &str) -> Result<Pattern, Wrong> {
    if word.eq_ignore_ascii_case("paranoid") {
        let what = format!("{} is not told from UNKNOWN", shown(word));
        return Err(Wrong::new(what, "write UNKNOWN"));
    }
    rule::client(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_held_by_address_and_name() {
        use Holds::{No, Unknown, Yes};
        let (host, short) = (Name::Is("a.office.example"), Name::Is("printer"));
        let table = [
            ("ALL", Name::Unknown, Yes),
            ("192.0.2.", Name::Unknown, Yes),
            ("198.51.100. 192.0.2.0/255.255.255.0", Name::None, Yes),
            ("[2001:db8::]/32", host, No),
            (".office.example", host, Yes),
            (".office.example", Name::None, No),
            (".office.example", Name::Unknown, Unknown),
            ("A.Office.Example", host, Yes),
            ("LOCAL", short, Yes),
            ("LOCAL", host, No),
            ("KNOWN", host, Yes),
            ("KNOWN", Name::None, No),
            ("UNKNOWN", Name::None, Yes),
            ("UNKNOWN", host, No),
            ("ALL EXCEPT 192.0.2.7", host, No),
            ("ALL EXCEPT 192.0.2. EXCEPT 192.0.2.7", host, Yes),
            ("ALL EXCEPT .office.example", Name::Unknown, Unknown),
            ("198.51.100. EXCEPT .office.example", Name::Unknown, No),
            ("*.example", host, Yes),
        ];
        for (text, name, expected) in table {
            let clients = Clients::parse(text).unwrap();
            assert_eq!(clients.hold("192.0.2.7".parse().unwrap(), name), expected, "{text} {name:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_told() {
        for wrong in [
            "",
            "  ",
            "ALL EXCEPT",
            "@group",
            "user@host",
            "/etc/hosts",
            "192.0.2.1/24",
            "PARANOID",
            "[2001:db8::]/999",
        ] {
            assert!(Clients::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
