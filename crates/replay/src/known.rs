//! What is known of a recorded case to who judges it again: what was recorded, seen with the eyes of the other configuration; what
//! its own files say; and nothing else. What was not recorded is unknown, and named.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::SystemTime;

use guard::rule::{Action, Entry, Mode};
use guard::{Command, Fact, FactName, Fault, Found, Gathered, Hosting, Listing, Need, Policy, Value};
use judge::tables::Subjects;
use judge::{Case, Judge, Terms};

use crate::subject::Subject;

/// How long databases of access maps may take.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// By what is judged again.
#[derive(Clone, Copy)]
pub struct By<'a> {
    /// Who may relay, and the rules.
    pub policy: &'a Policy,
    /// The configuration whose maps, files and lists are asked; `None`: what was recorded of them counts.
    pub terms: Option<&'a Terms>,
    /// Who looks up what was not recorded; `None`: it is unknown.
    pub judge: Option<Judge<'a>>,
}

/// What was not recorded, by the fact's word; of a DNS list `listings of NAME`.
pub type Unknowns = BTreeSet<Cow<'static, str>>;

impl<'a> By<'a> {
    /// By a policy alone.
    pub fn policy(policy: &'a Policy) -> Self {
        Self { policy, terms: None, judge: None }
    }

    /// By a configuration: what other mail servers ask has a policy of its own.
    pub fn terms(terms: &'a Terms, manner: guard::Manner) -> Self {
        let beside = manner.mailboxes == guard::case::Mailboxes::Elsewhere;
        let policy = if beside { &terms.mta_policy } else { &terms.policy };
        Self { policy, terms: Some(terms), judge: None }
    }

    /// The same, with what was not recorded looked up.
    #[must_use]
    pub fn looking(self, judge: Judge<'a>) -> Self {
        Self { judge: Some(Judge { policy: self.policy, ..judge }), ..self }
    }
}

/// Sees what was recorded with the eyes of a configuration.
pub(crate) fn settle(subject: &mut Subject, by: &By<'_>, unknown: &mut Unknowns) {
    hosting(subject, by.policy);
    let Some(terms) = by.terms else {
        turn(subject);
        return try_lists(subject);
    };
    // Maps and files are asked themselves.
    subject.known.retain(|known| !matches!(known.need.fact, FactName::Entries | FactName::Origin));
    if terms.settings.relay.identity_collapse != config::IdentityCollapse::Enforce {
        subject.stood.distrusted = false;
    }
    let asks = |fact: FactName| matches!(fact, FactName::Listings | FactName::DomainListings);
    for known in subject.known.iter_mut().filter(|known| asks(known.need.fact)) {
        if let Fact::Known(Value::Listings(all) | Value::DomainListings(all)) = &mut known.found.value {
            *all = all.iter().filter_map(|one| weighed(one, &terms.settings.dnsbl)).collect();
        }
        let new = terms.settings.dnsbl.iter().filter(|list| {
            let kind =
                if known.need.fact == FactName::Listings { config::ListKind::Ip } else { config::ListKind::Domain };
            list.kind == kind && !subject.under.lists.contains(&list.name)
        });
        unknown.extend(new.map(|list| Cow::Owned(format!("listings of {}", list.name))));
    }
    try_lists(subject);
}

/// What a list says that is supposed to be only tried weighs nothing.
fn try_lists(subject: &mut Subject) {
    let Subject { known, tried_lists, .. } = subject;
    for known in known {
        if let Fact::Known(Value::Listings(all) | Value::DomainListings(all)) = &mut known.found.value {
            let tried = all.iter_mut().filter(|one| tried_lists.contains(&one.zone));
            tried.for_each(|one| one.mode = Mode::Observe);
        }
    }
}

/// Without maps the recorded entries are what there is.
fn turn(subject: &mut Subject) {
    let Subject { known, turned, .. } = subject;
    for known in known {
        if let Fact::Known(Value::Entries(entries)) = &mut known.found.value {
            let turned = entries.iter_mut().filter(|entry| turned.contains(&entry.line.to_string()));
            turned.for_each(|entry| entry.action = Action::Ok);
        }
    }
}

/// What a list says as it weighs now; `None`: it is asked no more.
fn weighed(one: &Listing, lists: &[config::Dnsbl]) -> Option<Listing> {
    let list = lists.iter().find(|list| list.name == one.zone)?;
    let weight = list.codes.iter().find(|code| code.which.has(one.code))?.weight;
    Some(Listing { weight, mode: list.mode, ..one.clone() })
}

/// Whose a recipient is depends on the relay domains, and by which mailbox the accounts were asked.
fn hosting(subject: &mut Subject, policy: &Policy) {
    let mailbox = subject.path.as_ref().and_then(|path| policy.relay.directory_mailbox(path));
    let Some(mailbox) = mailbox.map(Cow::into_owned) else { return };
    let asked = subject.under.own_mailbox.clone();
    let asked = asked.or_else(|| Some(subject.path.as_ref()?.mailbox()?.to_string()));
    if asked.as_deref() != Some(mailbox.to_string().as_str()) {
        subject.forget(FactName::Hosting);
    }
    if policy.relay.is_relay_domain(&mailbox) {
        subject.suppose(Value::Hosting(Hosting::RelayDomain));
    }
    let sender = subject.reverse_path().and_then(|path| path.mailbox());
    if sender.is_some_and(|mailbox| policy.relay.is_relay_domain(mailbox)) {
        subject.suppose(Value::SenderHosted(true));
    }
}

/// Answers what was not recorded.
pub(crate) async fn answer(
    by: &By<'_>,
    subject: &Subject,
    asked: Asked<'_, '_>,
    unknown: &mut Unknowns,
) -> Vec<Gathered> {
    let Asked { case, command, needs } = asked;
    let mut answers = Vec::with_capacity(needs.len());
    for need in needs {
        let value = match (need.fact, by.terms) {
            (FactName::Entries, Some(terms)) => {
                Some(Value::Entries(entries(terms, subject, case.as_guard(), command).await))
            }
            (FactName::Origin, Some(terms)) => {
                Some(Value::Origin(case.client().map(|client| terms.tables.origin(client)).unwrap_or_default()))
            }
            _ => None,
        };
        let looked = match (value, &by.judge) {
            (Some(value), _) => Gathered::Found(Found::new(Fact::Known(value), subject.at)),
            (None, Some(judge)) => {
                let mut found = judge.look_up(case, command, std::slice::from_ref(need)).await;
                found.pop().unwrap_or_else(|| nothing(subject.at))
            }
            (None, None) => {
                unknown.insert(Cow::Borrowed(need.fact.code()));
                nothing(subject.at)
            }
        };
        answers.push(looked);
    }
    answers
}

/// What a judgement asks for.
pub(crate) struct Asked<'a, 'c> {
    pub(crate) case: &'a Case,
    pub(crate) command: &'a Command<'c>,
    pub(crate) needs: &'a [Need],
}

fn nothing(at: SystemTime) -> Gathered {
    Gathered::Found(Found::new(Fact::Unknown(Fault::Unavailable("records")), at))
}

/// What the maps of a configuration have. Those that a supposition turned say `OK`.
async fn entries(terms: &Terms, subject: &Subject, case: &guard::Case, command: &Command<'_>) -> Vec<Entry> {
    let (tables, subjects) = (&terms.tables, Subjects::of(case, command));
    let mut entries = if tables.ask_databases() {
        let answers = Box::pin(tables.answers(&subjects, tokio::time::Instant::now() + WAIT)).await;
        tables.entries_with(&subjects, &answers)
    } else {
        tables.entries(&subjects)
    };
    for entry in entries.iter_mut().filter(|entry| subject.turned.contains(&entry.line.to_string())) {
        entry.action = Action::Ok;
    }
    entries
}
