//! The mails of the queues in `tests/data`, which earlier releases wrote.
#![allow(unreachable_pub, missing_docs, reason = "shared by tests")]

use std::path::Path;

use spool::{Envelope, Origin, Recipient, RecipientState, Ret, SpoolConfig, Target};

use crate::common::{self, ARRIVED, octets, sender};

/// The settings they were written with.
pub fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig { segment_octets: 4 << 10, inline_octets: 512, free_octets_min: 0, ..SpoolConfig::new(dir) }
}

/// A mail in them.
#[derive(Clone, Copy)]
pub struct Mail {
    /// Stands in the envelope as the session.
    pub name: &'static str,
    pub octets: usize,
    pub kind: Kind,
    /// What became of the recipients in the first attempt.
    pub states: &'static [RecipientState],
}

/// What its envelope is like.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A stranger's, to mailboxes.
    Outside,
    /// Every field is used.
    Full,
    /// A notification.
    Bounce,
}

use RecipientState::{Delivered, Failed, Waiting};

const ONE: Mail = Mail { name: "", octets: 300, kind: Kind::Outside, states: &[Waiting] };

/// Written first; what waits of them was copied forward.
pub const EARLY: &[Mail] = &[
    Mail { name: "deferred", ..ONE },
    Mail { name: "in-part", states: &[Delivered, Waiting, Failed], ..ONE },
    Mail { name: "large-deferred", octets: 2_000, ..ONE },
    Mail { name: "done", states: &[Delivered], ..ONE },
    Mail { name: "large-done", octets: 3_000, states: &[Delivered], ..ONE },
    Mail { name: "held-early", ..ONE },
];

/// Written last, and not tried yet.
pub const LATE: &[Mail] = &[
    Mail { name: "full", octets: 511, kind: Kind::Full, states: &[Waiting; 4] },
    Mail { name: "bounce", kind: Kind::Bounce, ..ONE },
    Mail { name: "empty", octets: 0, ..ONE },
    Mail { name: "large", octets: 513, ..ONE },
    Mail { name: "held-late", ..ONE },
    Mail { name: "held-later", ..ONE },
];

impl Mail {
    pub fn body(&self) -> Vec<u8> {
        octets(self.name.len() as u64, self.octets)
    }

    pub fn is_held(&self) -> bool {
        self.name.starts_with("held")
    }

    pub fn is_done(&self) -> bool {
        self.states.iter().all(|state| *state != Waiting)
    }

    pub fn envelope(&self) -> Envelope {
        let base = common::envelope("a@b", &["x@y", "p@q", "r@s"][..self.states.len().min(3)]);
        let base = Envelope { session: self.name.to_owned(), message_octets: self.octets as u64, ..base };
        match self.kind {
            Kind::Outside => base,
            Kind::Bounce => Envelope { reverse_path: String::new(), origin: Origin::Bounce, ..base },
            Kind::Full => Envelope {
                reverse_path: "例@例え.example".to_owned(),
                recipients: every_target(),
                origin: Origin::Account(sender(Some("alice@example.test"), "auth")),
                arrived_at_unix_micros: ARRIVED + 1,
                smtputf8: true,
                eight_bit: false,
                envid: Some("QQ=1".to_owned()),
                ret: Some(Ret::Headers),
                ..base
            },
        }
    }
}

fn every_target() -> Vec<Recipient> {
    let targets = [
        Target::Maildir { account: "a".to_owned() },
        Target::Remote { host: "b.example".to_owned() },
        Target::NextHop { server: "c.example:25".to_owned() },
        Target::Lmtp { server: "/run/lmtp".to_owned() },
    ];
    let recipient = |(n, target): (u8, Target)| Recipient {
        forward_path: format!("{n}@y"),
        target,
        notify: n * 5,
        orcpt: (n > 1).then(|| format!("rfc822;{n}+2By")),
        via: None,
    };
    (0..4).zip(targets).map(recipient).collect()
}
