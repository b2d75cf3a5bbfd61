//! A recorded case, to be judged again: what was said and known, as it was or as it is supposed.

use std::sync::Arc;
use std::time::SystemTime;

use guard::case::Conduct;
use guard::circumstances::{Circumstances, OpenTransaction, PlaceFound, Stood};
use guard::{Charge, Fact, FactName, Fault, Found, Need, Of, Reserved, Stage, Value};
use records::Kept;
use smtp::{ForwardPath, ReversePath};

use crate::values;

/// Why a record cannot be judged again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unjudged {
    /// It does not tell under what it was judged.
    #[error("its form ({0}) does not tell under what it was judged")]
    Form(u16),
    /// Something in it is not as it was.
    #[error("its personal data was not kept")]
    Redacted,
    /// It is no decision of the guard about a mail: a connection that was cut, a limit.
    #[error("\"{0}\" is decided before the guard is asked")]
    NotOfTheGuard(String),
    /// Something in it cannot be read.
    #[error("its {0} cannot be read")]
    Unreadable(String),
}

/// A case and its command.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(crate) stage: Stage,
    pub(crate) at: SystemTime,
    pub(crate) stood: Stood,
    pub(crate) path: Option<ForwardPath>,
    pub(crate) confirms: bool,
    pub(crate) under: Circumstances,
    pub(crate) known: Vec<Known>,
    /// Lines of access maps that are supposed to say `OK`.
    pub(crate) turned: Vec<String>,
    /// Lists in DNS that are supposed to be only tried.
    pub(crate) tried_lists: Vec<Arc<str>>,
    /// Where there is supposed to be a place.
    pub(crate) places: Places,
    /// Who is said to have logged in, where the accounts are to say whether he may.
    pub(crate) told: Option<String>,
}

/// Where there is supposed to be a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// As it was recorded.
    AsRecorded,
    /// For what a right sends; mailboxes are as they were.
    OfRights,
    /// Wherever one is asked for.
    All,
}

/// A fact that is known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) need: Need,
    pub(crate) found: Found,
}

const STAGES: [Stage; 6] = [Stage::Connect, Stage::Helo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Message];

/// What is decided before the guard is asked, or beside it.
const BESIDE: [&str; 4] = ["too-many-connections", "busy", "banned", "too-many-unknown"];

fn unreadable(what: &str) -> Unjudged {
    Unjudged::Unreadable(what.to_owned())
}

impl Unjudged {
    /// Of a record that came to no case.
    pub(crate) fn unmannered(record: &Kept) -> Self {
        let word = record.refused.as_ref().map_or(&record.stage, |refused| &refused.reason);
        Self::NotOfTheGuard(word.clone())
    }
}

impl Subject {
    /// Of a record.
    pub fn of(record: &Kept) -> Result<Self, Unjudged> {
        if let Some(refused) = record.refused.as_ref().filter(|it| BESIDE.contains(&it.reason.as_str())) {
            return Err(Unjudged::NotOfTheGuard(refused.reason.clone()));
        }
        if record.redacted.is_some() {
            return Err(Unjudged::Redacted);
        }
        let under = record.circumstances.clone();
        let stage = STAGES.into_iter().find(|stage| stage.code() == record.stage);
        let stage = stage.ok_or_else(|| Unjudged::NotOfTheGuard(record.stage.clone()))?;
        let seen = &record.seen;
        let manner = manner(record).filter(|_| record.form > 1).ok_or(Unjudged::Form(record.form))?;
        let reverse_path = match &record.reverse_path {
            Some(text) => Some(ReversePath::parse(text).map_err(|_| unreadable("reverse-path"))?),
            None => None,
        };
        let path = match &record.forward_path {
            Some(text) => Some(ForwardPath::parse(text).map_err(|_| unreadable("forward-path"))?.path),
            None => None,
        };
        if stage == Stage::Rcpt && path.is_none() {
            return Err(unreadable("forward-path"));
        }
        let before = under.before;
        let stood = Stood {
            manner,
            conduct: Conduct {
                pipelined: seen.pipelined,
                plain_text: seen.plain_text,
                load_percent: seen.load_percent,
            },
            distrusted: seen.distrusted,
            claims_login: seen.claims_login,
            client: record.client,
            helo: record.helo.clone(),
            open: reverse_path.map(|path| OpenTransaction {
                reverse_path: path,
                declared_octets: seen.declared_octets,
                before,
            }),
        };
        let (at, known) = (values::time(record.at), known(record)?);
        Ok(Self {
            stage,
            at,
            stood,
            path,
            confirms: seen.again,
            under,
            known,
            turned: Vec::new(),
            tried_lists: Vec::new(),
            places: Places::AsRecorded,
            told: None,
        })
    }

    pub(crate) fn reverse_path(&self) -> Option<&ReversePath> {
        self.stood.open.as_ref().map(|open| &open.reverse_path)
    }

    /// No policy has a say in what becomes of it: only whether there was room.
    pub(crate) fn is_beyond_policy(&self) -> bool {
        matches!(self.stage, Stage::Data | Stage::Message)
    }

    pub(crate) fn fact(&self, fact: FactName) -> Option<&Fact<Value>> {
        self.known.iter().find(|known| known.need.fact == fact).map(|known| &known.found.value)
    }

    pub(crate) fn forget(&mut self, fact: FactName) {
        self.known.retain(|known| known.need.fact != fact);
    }

    /// Takes this as known in the place of what was.
    pub(crate) fn suppose(&mut self, value: Value) {
        self.suppose_of(value, Of::Case);
    }

    pub(crate) fn suppose_of(&mut self, value: Value, of: Of) {
        let fact = value.fact();
        self.forget(fact);
        let (need, found) = (Need { fact, of, older: None }, Found::new(Fact::Known(value), self.at));
        self.known.push(Known { need, found });
    }

    /// Whether there is a place, as it was; what was not asked for then had one.
    pub(crate) fn reserved(&self, charges: &[Charge]) -> Option<Reserved> {
        let of_room = |charge: &Charge| matches!(charge, Charge::Quota(_));
        match self.places {
            Places::All => return Some(Reserved::All),
            Places::OfRights if !charges.iter().any(of_room) => return Some(Reserved::All),
            Places::OfRights | Places::AsRecorded => {}
        }
        let place = self.under.place.as_ref()?;
        let charge = charges.iter().position(|charge| charge.code() == place.charge)?;
        Some(match place.found {
            PlaceFound::Within => Reserved::All,
            PlaceFound::Exceeded => Reserved::Exceeded { charge },
            PlaceFound::Unknown => Reserved::Unknown { charge, fault: Fault::Unavailable("state") },
        })
    }
}

/// In what the interface of a record differs, as the guard has it; `None`: it came to no case, or in words of another version.
pub(crate) fn manner(record: &Kept) -> Option<guard::Manner> {
    let words = serde_json::to_value(record.seen.manner.as_ref()?).ok()?;
    serde_json::from_value(words).ok()
}

fn known(record: &Kept) -> Result<Vec<Known>, Unjudged> {
    let mut all = Vec::with_capacity(record.facts.len());
    for one in &record.facts {
        let fact = values::name(&one.fact).ok_or_else(|| unreadable(&one.fact))?;
        let value = values::read(fact, &one.value).ok_or_else(|| unreadable(&one.fact))?;
        let of = one.of.map_or(Of::Case, |of| Of::Address(of.address));
        all.push(Known { need: Need { fact, of, older: None }, found: Found::new(value, values::time(one.at)) });
    }
    Ok(all)
}
