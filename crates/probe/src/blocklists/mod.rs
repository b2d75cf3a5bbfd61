//! On which public lists an address or a domain stands, what that means, and how it is left.
//!
//! Answers for: that only what a list declares is a listing; that a list which refuses us, fails its test points or lists what no list
//! has counts nothing, and is told so; that a key in a zone is never shown. Does not answer for: whether the cause still stands
//! (whoever knows that gives it by [`Report::with_cause`]).

mod list;
mod outcome;

pub use list::DataError;
pub use outcome::{Listing, Report, Row, State};

use std::net::{IpAddr, Ipv4Addr};

use config::{Dnsbl, ListKind};
use dns::{Answer, Resolver};
use futures_util::future::join_all;
use reputation::{Family, Fault, Standing, by_address, by_domain, judged, odd};

use crate::asking::clean;
use list::{Life, List, Speaks, lists};

/// Characters of a list's own text that are shown.
const TEXT_CHARACTERS_MAX: usize = 300;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An address of the Internet.
    Address(IpAddr),
    /// A domain, in lower case.
    Domain(String),
}

/// What is typed is nothing that a list could have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSubject {
    /// A private address, one of this machine, or another that is nobody's.
    #[error("{0} is no address of the Internet: no list can have it")]
    NotPublic(IpAddr),
    /// Neither address nor domain.
    #[error("{0:?} is neither an address nor a domain")]
    Neither(String),
}

impl Subject {
    /// Reads an address or a domain.
    pub fn parse(text: &str) -> Result<Self, BadSubject> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let address = address.to_canonical();
            return if guard::is_public(address) {
                Ok(Self::Address(address))
            } else {
                Err(BadSubject::NotPublic(address))
            };
        }
        match smtp::Domain::parse(text.trim_end_matches('.')) {
            Ok(domain) if domain.as_str().contains('.') => Ok(Self::Domain(domain.as_str().to_owned())),
            _ => Err(BadSubject::Neither(clean(text.as_bytes(), 100))),
        }
    }

    fn family(&self) -> Family {
        match self {
            Self::Address(IpAddr::V4(_)) => Family::Ipv4,
            Self::Address(IpAddr::V6(_)) => Family::Ipv6,
            Self::Domain(_) => Family::Domain,
        }
    }

    fn kind(&self) -> ListKind {
        match self {
            Self::Address(_) => ListKind::Ip,
            Self::Domain(_) => ListKind::Domain,
        }
    }

    /// The name under which a list has it; `None`: it can have none so long.
    fn question(&self, zone: &str) -> Option<String> {
        match self {
            Self::Address(address) => Some(by_address(*address, zone)),
            Self::Domain(domain) => by_domain(domain, zone),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => f.write_str(domain),
        }
    }
}

/// Asks all lists of its kind at once; those of the configuration too.
pub async fn probe(dns: &Resolver, subject: &Subject, own: &[Dnsbl]) -> Result<Report, DataError> {
    let lists: Vec<List> = lists(own)?.into_iter().filter(|list| list.kind == subject.kind()).collect();
    let rows = join_all(lists.iter().map(|list| ask(dns, list, subject))).await;
    Ok(Report::new(subject.to_string(), rows))
}

async fn ask(dns: &Resolver, list: &List, subject: &Subject) -> Row {
    match list.state {
        Life::Dead => return Row::of(list, State::Dead, format!("since {}", list.since)),
        Life::Keyed => return Row::of(list, State::Keyed, list.terms.clone()),
        Life::Active => {}
    }
    let Some(question) = subject.question(&list.zone) else {
        return Row::of(list, State::NotListed, "the name is too long to be listed".to_owned());
    };
    let points = list.points(subject.family());
    let (answer, listed, unlisted) =
        tokio::join!(dns.ipv4(&question), dns.ipv4(&points.listed), dns.ipv4(&points.unlisted));
    let codes: &[Ipv4Addr] = match &answer {
        Answer::Found(codes) => codes,
        Answer::None => &[],
        Answer::Failed(failure) => return Row::of(list, State::NoAnswer, clean(failure.to_string().as_bytes(), 100)),
    };
    let standing = match judged(&listed, &unlisted) {
        // Many lists have no addresses of IPv6 at all, and so no test entry among them.
        Some(Standing::Unsound(Fault::Empty)) if subject.family() == Family::Ipv6 => Some(Standing::Absent),
        standing => standing,
    };
    if let Err(row) = sound(list, codes, standing) {
        return row;
    }
    let found: Vec<(Ipv4Addr, &str)> = codes.iter().flat_map(|code| list.meanings(*code)).collect();
    if found.is_empty() {
        let undeclared = codes.first().map(|code| format!("it answers {code}, which it does not declare"));
        return Row::of(list, State::NotListed, undeclared.unwrap_or_default());
    }
    let text = match dns.texts(&question).await {
        Answer::Found(texts) => texts.first().map(|text| clean(text, TEXT_CHARACTERS_MAX)).unwrap_or_default(),
        Answer::None | Answer::Failed(_) => String::new(),
    };
    Row::listed(list, &found, text)
}

/// Whether what the list says counts; if not, why.
#[expect(clippy::result_large_err, reason = "moved once, to the caller that tells it")]
fn sound(list: &List, codes: &[Ipv4Addr], standing: Option<Standing>) -> Result<(), Row> {
    let refused = codes.iter().find(|code| list.refuses.contains(code)).map(|code| Fault::Refuses(*code));
    let standing = match (refused.or_else(|| odd(codes)), standing) {
        (Some(fault), _) => Standing::Unsound(fault),
        (None, Some(standing)) => standing,
        (None, None) => {
            return Err(Row::of(list, State::NoAnswer, "its test entries were not answered".to_owned()));
        }
    };
    match standing {
        Standing::Unsound(fault @ Fault::Refuses(_)) => Err(Row::of(list, State::Refusing, fault.to_string())),
        Standing::Unsound(fault) => Err(Row::of(list, State::Broken, fault.to_string())),
        Standing::Absent | Standing::Untested => Err(Row::of(list, State::NoIpv6, String::new())),
        Standing::Sound => Ok(()),
    }
}

impl List {
    /// What one answer means by its declared codes; a code of bits may mean several things.
    fn meanings(&self, answer: Ipv4Addr) -> impl Iterator<Item = (Ipv4Addr, &str)> {
        let has = move |declared: &&list::Declared| declared.answers.iter().any(|codes| codes.has(answer));
        self.codes.iter().filter(has).map(move |declared| (answer, &*declared.means))
    }
}

impl Row {
    fn of(list: &List, state: State, note: String) -> Self {
        let note = [note, list.note.clone()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        Self { name: list.name.clone(), zone: list.shown.clone(), state, note: note.join("; "), listing: None }
    }

    fn listed(list: &List, found: &[(Ipv4Addr, &str)], text: String) -> Self {
        let state = if list.speaks == Speaks::For { State::Allowed } else { State::Listed };
        let mut codes: Vec<String> = found.iter().map(|(code, _)| code.to_string()).collect();
        codes.dedup();
        let listing = Listing {
            codes,
            reasons: found.iter().map(|(_, means)| (*means).to_owned()).collect(),
            text,
            means: list.means.clone(),
            leave: list.leave.clone(),
            page: list.page.clone(),
            cause: None,
        };
        Self { listing: Some(listing), ..Self::of(list, state, String::new()) }
    }
}
