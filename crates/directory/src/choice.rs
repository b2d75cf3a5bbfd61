//! Whose mail an account takes, as its owner chose: senders that it accepts, senders that it refuses, and whether it takes
//! nothing else than what it accepts.
//!
//! A sender is an address, a domain or the null reverse-path. The most specific entry decides: the address, the domain, then its
//! parent domains upwards. An account without choices, which nearly all are, costs nothing here: where its address leads says
//! that it has none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::Cache;
use crate::chosen::{ChoiceChange, ChoiceKind, Choices, Others};
use crate::error::DirectoryError;
use crate::route::{Resolution, Target};
use crate::store::ChoicesRow;
use crate::{Directory, name};

type Result<T> = std::result::Result<T, DirectoryError>;

/// Accounts whose choices are remembered: 256 MB, if each had as many as it may.
const REMEMBERED_MAX: usize = 2_048;
/// The null reverse-path (RFC 5321 §4.5.5), as it is chosen.
const NULL: &str = "<>";

/// A reverse-path as choices see it.
#[derive(Debug, Clone, Copy)]
pub enum SentBy<'a> {
    /// RFC 5321 §4.5.5.
    Null,
    /// Local part and domain, the domain as the grammar normalises it (A-labels); case does not matter.
    Mailbox {
        /// Before the at sign.
        local_part: &'a str,
        /// Behind it.
        domain: &'a str,
    },
}

/// What one account's choices come to for a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Nothing is said against it.
    Nothing,
    /// It is accepted, and so would others be that are like it.
    Accepted,
    /// It is refused.
    Refused,
    /// It is not among those that alone are accepted.
    NotAccepted,
    /// It is accepted where others like it are not: so it must be shown that it is no other that goes by its name.
    IfProved,
}

/// Where a mail goes that not everybody takes.
#[derive(Debug)]
pub struct Willing {
    /// Who takes it; the targets may be none.
    pub takers: Resolution,
    /// The logins that do not.
    pub left_out: Vec<Arc<str>>,
}

/// An account's choices for looking up.
#[derive(Debug, Default)]
struct List {
    others: Others,
    kinds: HashMap<Box<str>, ChoiceKind>,
}

/// What is remembered of choices.
pub(crate) struct Lists(Cache<Arc<str>, Remembered>);

#[derive(Clone)]
struct Remembered {
    generation: u64,
    list: Arc<List>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED_MAX))
    }
}

impl List {
    fn new(row: ChoicesRow) -> Self {
        Self {
            others: row.others,
            kinds: row.senders.into_iter().map(|(sender, kind)| (sender.into(), kind)).collect(),
        }
    }

    fn of(&self, by: SentBy<'_>) -> Chosen {
        let SentBy::Mailbox { local_part, domain } = by else {
            return match self.kinds.get(NULL) {
                Some(ChoiceKind::Refuse) => Chosen::Refused,
                Some(ChoiceKind::Accept) => Chosen::Accepted,
                None => Chosen::Nothing,
            };
        };
        let address = format!("{local_part}@{domain}").to_ascii_lowercase();
        let mut kinds = names(&address).filter_map(|name| self.kinds.get(name).copied());
        match (kinds.next(), self.others) {
            (Some(ChoiceKind::Refuse), _) => Chosen::Refused,
            (None, Others::Taken) => Chosen::Nothing,
            (None, Others::NotTaken) => Chosen::NotAccepted,
            (Some(ChoiceKind::Accept), Others::NotTaken) => Chosen::IfProved,
            (Some(ChoiceKind::Accept), Others::Taken) => {
                if kinds.any(|kind| kind == ChoiceKind::Refuse) {
                    Chosen::IfProved
                } else {
                    Chosen::Accepted
                }
            }
        }
    }
}

/// What may be written of an address, the most specific first: itself, its domain, then for each parent domain `.parent` and
/// `parent`.
fn names(address: &str) -> impl Iterator<Item = &str> {
    let domain = address.rfind('@').map_or("", |at| &address[at + 1..]);
    let parents = domain.match_indices('.').flat_map(move |(at, _)| [&domain[at..], &domain[at + 1..]]);
    [address, domain].into_iter().chain(parents)
}

impl Directory {
    /// The choices of an account.
    pub async fn choices(&self, login: &str) -> Result<Choices> {
        let login = self.known_login(login)?;
        let row = self.store.choices(&login).await?.ok_or_else(|| DirectoryError::not_found("account", &login))?;
        let of = |wanted: ChoiceKind| {
            let senders = row.senders.iter().filter(|(_, kind)| *kind == wanted);
            senders.map(|(sender, _)| sender.clone()).collect()
        };
        Ok(Choices { others: row.others, accepted: of(ChoiceKind::Accept), refused: of(ChoiceKind::Refuse) })
    }

    /// Changes the choices of an account. More than [`crate::CHOICES_MAX`] senders, or 64 KiB of them, are refused.
    pub async fn change_choices(&self, login: &str, change: &ChoiceChange) -> Result<()> {
        let login = self.known_login(login)?;
        let named = |senders: &[String]| senders.iter().map(|one| sender(one)).collect::<Result<Vec<_>>>();
        let change = ChoiceChange {
            accept: named(&change.accept)?,
            refuse: named(&change.refuse)?,
            remove: named(&change.remove)?,
            others: change.others,
        };
        if let Some(twice) = change.accept.iter().find(|one| change.refuse.contains(one)) {
            return Err(DirectoryError::invalid("sender", twice, "either accept or refuse is wanted"));
        }
        let done = self.store.change_choices(&login, &change).await;
        self.generations.routing_changed();
        done
    }

    /// What an account that was found chose about a sender. Of one whose choices cannot be read, and were not known before,
    /// nothing is said, which is an error.
    pub async fn chosen(&self, target: &Target, by: SentBy<'_>) -> Result<Chosen> {
        let Target::Account { login, has_choices: true, .. } = target else { return Ok(Chosen::Nothing) };
        Ok(self.list(login).await?.of(by))
    }

    /// The same answer without those targets that `takes` says no of. Of whom it cannot be known, nothing is said against.
    pub async fn without_unwilling(
        &self,
        found: Resolution,
        by: SentBy<'_>,
        takes: impl Fn(Chosen) -> bool,
    ) -> Willing {
        if !found.has_choices() {
            return Willing { takers: found, left_out: Vec::new() };
        }
        let (mut targets, mut aliases, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (target, alias) in found.targets.iter().zip(found.aliases.iter()) {
            let chosen = self.chosen(target, by).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "directory unavailable");
                Chosen::Nothing
            });
            if takes(chosen) {
                targets.push(target.clone());
                aliases.push(alias.clone());
            } else {
                left_out.push(Arc::clone(target.name()));
            }
        }
        let resolution = Resolution { hosting: found.hosting, targets: targets.into(), aliases: aliases.into() };
        Willing { takers: resolution, left_out }
    }

    async fn list(&self, login: &Arc<str>) -> Result<Arc<List>> {
        let generation = self.generations.routing();
        let before = self.lists.0.find(&**login);
        if let Some(known) = before.as_ref().filter(|known| known.generation == generation) {
            return Ok(Arc::clone(&known.list));
        }
        // Boxed, as where addresses lead: nearly always it is answered above.
        match Box::pin(self.store.choices(login)).await {
            Ok(row) => {
                let list = Arc::new(List::new(row.unwrap_or_default()));
                self.lists.0.insert(Arc::clone(login), Remembered { generation, list: Arc::clone(&list) });
                Ok(list)
            }
            Err(error) => before.map(|known| known.list).ok_or(error),
        }
    }
}

/// A sender as it is kept: in lower case, its domain in A-labels.
fn sender(written: &str) -> Result<String> {
    if written == NULL {
        return Ok(NULL.to_owned());
    }
    if let Some(parent) = written.strip_prefix('.') {
        return Ok(format!(".{}", name::domain(parent)?));
    }
    if !written.contains('@') {
        return name::domain(written);
    }
    let (local, domain) = name::address(written, "")?;
    Ok(format!("{}@{domain}", local.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(others: Others, senders: &[(&str, ChoiceKind)]) -> List {
        let senders = senders.iter().map(|(text, kind)| (sender(text).unwrap(), *kind)).collect();
        List::new(ChoicesRow { others, senders })
    }

    fn of(list: &List, address: &str) -> Chosen {
        list.of(match address.rsplit_once('@') {
            Some((local_part, domain)) => SentBy::Mailbox { local_part, domain },
            None => SentBy::Null,
        })
    }

    #[test]
    fn the_most_specific_entry_decides() {
        use ChoiceKind::{Accept, Refuse};
        let open = list(
            Others::Taken,
            &[
                ("News.Example", Refuse),
                ("editor@news.example", Accept),
                (".shop.example", Refuse),
                ("good.shop.example", Accept),
                ("bob@friend.example", Accept),
                ("\u{4f8b}\u{3048}.test", Refuse),
            ],
        );
        for (address, chosen) in [
            ("a@news.example", Chosen::Refused),
            ("A@Mail.NEWS.example", Chosen::Refused),
            ("a@othernews.example", Chosen::Nothing),
            ("Editor@news.example", Chosen::IfProved),
            ("editor@x.news.example", Chosen::Refused),
            ("a@shop.example", Chosen::Nothing),
            ("a@b.shop.example", Chosen::Refused),
            ("a@good.shop.example", Chosen::IfProved),
            ("a@x.good.shop.example", Chosen::IfProved),
            ("bob@friend.example", Chosen::Accepted),
            ("rob@friend.example", Chosen::Nothing),
            ("a@xn--r8jz45g.test", Chosen::Refused),
            ("a@[192.0.2.1]", Chosen::Nothing),
            ("", Chosen::Nothing),
        ] {
            assert_eq!(of(&open, address), chosen, "{address}");
        }
    }

    #[test]
    fn who_accepts_only_some_says_no_to_all_others() {
        use ChoiceKind::{Accept, Refuse};
        let only = |senders| list(Others::NotTaken, senders);
        let some = only(&[("friend.example", Accept), ("ex@friend.example", Refuse)]);
        for (address, chosen) in [
            ("a@friend.example", Chosen::IfProved),
            ("ex@friend.example", Chosen::Refused),
            ("a@else.example", Chosen::NotAccepted),
            ("", Chosen::Nothing),
        ] {
            assert_eq!(of(&some, address), chosen, "{address}");
        }
        assert_eq!(of(&only(&[("<>", Refuse)]), ""), Chosen::Refused);
        assert_eq!(of(&only(&[("<>", Accept)]), ""), Chosen::Accepted);
    }

    #[test]
    fn what_is_no_sender_is_not_chosen() {
        for bad in ["", ".", "a b", "@example.org", "192.0.2.1", "a@", "..example", "<a@b.c>", "a%b@c.example"] {
            assert!(sender(bad).is_err(), "{bad}");
        }
    }
}
