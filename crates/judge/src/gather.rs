//! Gathers what the guard must know: all that is wanted at once, with one deadline. What failed or is late is *unknown*, never a
//! default.
//!
//! Who gathers a fact stands in the guard's table of facts; here is how.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use directory::Why;
use futures_util::future::join_all;
use guard::{Choice, Command, Fact, FactName, Fault, Found, Gathered, Need, Of, PopEvidence, PtrName, Value};
use tokio::time::Instant;

use super::ahead;
use super::auth::Proved;
use super::bench::Judge;
use super::case::{Case, Login, Seen, Told};
use super::client_name::{confirmed_name, ptr_name, sender_domain};
use super::facts;
use super::greylist::{self, Stranger};
use super::reputation;
use super::tables::Subjects;

/// How long one stage may wait for what it must know.
pub(super) const STAGE_WAIT: Duration = Duration::from_secs(5);

/// Gathers all of it, and gives it to the command.
pub(super) async fn all(judge: Judge<'_>, case: &mut Case, command: &mut Command<'_>, wanted: Wanted) {
    let Wanted { needs, until } = wanted;
    let (seen, nobody_chose) = (OnceLock::new(), OnceLock::new());
    let look_up = Gathering { judge, case, command, until, touch: Touch::All, seen, nobody_chose };
    let gathered = match &needs[..] {
        [need] => vec![look_up.one(need).await],
        needs => join_all(needs.iter().map(|need| look_up.one(need))).await,
    };
    let nobody_chose = look_up.nobody_chose.into_inner().is_some();
    let seen = look_up.seen.into_inner();
    case.saw_login(seen);
    for (need, gathered) in needs.iter().zip(gathered) {
        let at = match &gathered {
            Gathered::Found(found) if nobody_chose && need.fact == FactName::Hosting => Some(found.at),
            _ => None,
        };
        command.learn(&mut case.guard, need, gathered);
        if let Some(at) = at {
            let none = Found::new(Fact::Known(Value::Choice(Choice::None)), at);
            let unasked = Need { fact: FactName::Choice, of: Of::Case, older: None };
            command.learn(&mut case.guard, &unasked, Gathered::Found(none));
        }
    }
}

/// What is known of all that a command needs that nobody gave: nothing of it is noted anywhere.
pub(super) async fn looked_up(judge: Judge<'_>, case: &Case, command: &Command<'_>, needs: &[Need]) -> Vec<Gathered> {
    let until = Instant::now() + STAGE_WAIT;
    let (seen, nobody_chose) = (OnceLock::new(), OnceLock::new());
    let look_up = Gathering { judge, case, command, until, touch: Touch::Nothing, seen, nobody_chose };
    join_all(needs.iter().map(|need| look_up.one(need))).await
}

/// Whether to ask is to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It is: who asks is noted where that counts.
    All,
    /// It is only looked.
    Nothing,
}

/// What is wanted, and until when.
pub(super) struct Wanted {
    pub(super) needs: Vec<Need>,
    pub(super) until: Instant,
}

struct Gathering<'g, 'c> {
    judge: Judge<'g>,
    case: &'g Case,
    command: &'g Command<'c>,
    until: Instant,
    touch: Touch,
    /// What was seen of the login, for the commands to come.
    seen: OnceLock<Seen>,
    /// The recipient is ours, and nobody behind it chose whose mail he takes: so that it is not asked again.
    nobody_chose: OnceLock<()>,
}

impl Gathering<'_, '_> {
    async fn one(&self, need: &Need) -> Gathered {
        let late = || Found::new(Fact::Unknown(Fault::TimedOut(need.fact.code())), SystemTime::now());
        Gathered::Found(facts::by(self.until, self.look_up(need)).await.unwrap_or_else(late))
    }

    async fn look_up(&self, need: &Need) -> Found {
        let (FactName::PopEvidence, Of::Address(addr)) = (need.fact, need.of) else {
            return Found::new(self.value(need).await, SystemTime::now());
        };
        // Evidence is judged by the clock of the engine that keeps it.
        match facts::pop_evidence(&self.judge.sources.state, addr).await {
            Fact::Known(answer) => {
                let living = self.of_those_who_may(answer.value).await.map(Value::PopEvidence);
                Found::new(living, answer.now)
            }
            Fact::Unknown(fault) => Found::new(Fact::Unknown(fault), SystemTime::now()),
        }
    }

    /// Evidence of an account of ours counts while that may log in: it may have expired since, or been locked by another
    /// process a moment ago.
    async fn of_those_who_may(&self, evidence: Vec<PopEvidence>) -> Fact<Vec<PopEvidence>> {
        let directory = &self.judge.sources.directory;
        let mut living = Vec::with_capacity(evidence.len());
        for one in evidence {
            let Some(login) = one.login() else {
                living.push(one);
                continue;
            };
            let from = self.case.client().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            match directory.identity(login, from).await {
                Ok(Ok(_)) => living.push(one),
                // Another server's account is not ours to know.
                Ok(Err(Why::UnknownLogin)) if one.source().is_foreign() => living.push(one),
                Ok(Err(_)) => {}
                Err(_) => return Fact::Unknown(Fault::Unavailable("directory")),
            }
        }
        Fact::Known(living)
    }

    async fn value(&self, need: &Need) -> Fact<Value> {
        let sources = self.judge.sources;
        match need.fact {
            FactName::Login => self.login().await.map(Value::Login),
            FactName::Hosting => self.hosting().await.map(Value::Hosting),
            // Boxed: nearly nobody has chosen, and all the others would move its future about.
            FactName::Choice => Box::pin(self.choice()).await.map(Value::Choice),
            FactName::Owners => {
                let Some(reverse_path) = self.case.reverse_path() else {
                    return Fact::Known(Value::Owners(Vec::new()));
                };
                facts::owners(&sources.directory, reverse_path).await.map(Value::Owners)
            }
            FactName::SenderHosted => {
                let Some(reverse_path) = self.case.reverse_path() else {
                    return Fact::Known(Value::SenderHosted(false));
                };
                let relay = &self.judge.policy.relay;
                facts::is_own_domain(&sources.directory, relay, reverse_path).await.map(Value::SenderHosted)
            }
            FactName::ClientName => {
                let Some(client) = self.case.client() else { return Fact::Known(Value::ClientName(None)) };
                confirmed_name(sources.dns.as_deref(), client).await.map(Value::ClientName)
            }
            FactName::PtrNames => {
                let Some(client) = self.case.client() else { return Fact::Known(Value::PtrNames(PtrName::None)) };
                ptr_name(sources.dns.as_deref(), client).await.map(Value::PtrNames)
            }
            FactName::SenderDomain => {
                sender_domain(sources.dns.as_deref(), self.case.sender_domain()).await.map(Value::SenderDomain)
            }
            FactName::Greylist => self.greylist().await.map(Value::Greylist),
            FactName::Listings => Fact::Known(Value::Listings(match self.touch {
                Touch::All => reputation::of_client(self.judge, self.case).await,
                Touch::Nothing => reputation::look_at_client(self.judge, self.case).await,
            })),
            FactName::DomainListings => Fact::Known(Value::DomainListings(match self.touch {
                Touch::All => reputation::of_domain(self.judge, self.case).await,
                Touch::Nothing => reputation::look_at_domain(self.judge, self.case).await,
            })),
            FactName::Spf => reputation::spf(self.judge, self.case).await.map(Value::Spf),
            FactName::HopAnswer => {
                let mailbox = self.command.forward_path().and_then(|path| path.mailbox());
                match self.touch {
                    Touch::All => ahead::answer(self.judge, mailbox).await,
                    Touch::Nothing => ahead::remembered(self.judge, mailbox).await,
                }
                .map(Value::HopAnswer)
            }
            FactName::Origin => Fact::Known(Value::Origin(self.origin())),
            // It is asked by address only.
            FactName::PopEvidence => Fact::Unknown(Fault::Broken("state")),
            // Boxed: most servers ask no database.
            FactName::Entries if self.judge.terms.tables.ask_databases() => {
                Fact::Known(Value::Entries(Box::pin(self.entries_of_all()).await))
            }
            FactName::Entries => Fact::Known(Value::Entries(self.judge.terms.tables.entries(&self.subjects()))),
        }
    }

    async fn greylist(&self) -> Fact<guard::Greylist> {
        let (Some(client), Some(forward_path)) = (self.case.client(), self.command.forward_path()) else {
            return Fact::Unknown(Fault::Unavailable("state"));
        };
        let stranger = Stranger {
            client,
            name: self.case.guard.ptr_name(),
            spf: self.case.guard.spf(),
            sender_domain: self.case.sender_domain(),
            forward_path,
        };
        let delay = self.judge.terms.settings.guard.greylist_delay;
        match self.touch {
            Touch::All => greylist::of(&self.judge.sources.state, &stranger, delay).await,
            Touch::Nothing => greylist::look(&self.judge.sources.state, &stranger, delay).await,
        }
    }

    /// Who logged in, if he still may. Of a login that another mail server checked and that is not ours nothing is said.
    async fn login(&self) -> Fact<Option<guard::Login>> {
        match &self.case.login {
            Login::Nobody => Fact::Known(None),
            Login::Proved(proved) => self.still(proved).await,
            Login::Told(Told { first: Some(first), .. }) => self.still(first).await,
            Login::Told(Told { login, first: None }) => {
                let told = Proved::told_by_mail_server(self.judge.sources, login, self.case.client()).await;
                told.map(|proved| {
                    let login = proved.as_ref().map(Proved::attest);
                    proved.map(|proved| self.seen.set(Seen::May(proved)));
                    login
                })
            }
        }
    }

    /// Whether who proved himself earlier still may, and what. A login is looked up at each command: no session keeps a right.
    async fn still(&self, proved: &Proved) -> Fact<Option<guard::Login>> {
        match proved.still(self.judge.sources, self.case.client()).await {
            Fact::Known(Ok(now)) => {
                let login = now.attest();
                let _ = self.seen.set(Seen::May(now));
                Fact::Known(Some(login))
            }
            Fact::Known(Err(why)) => {
                let _ = self.seen.set(Seen::Ended(why));
                Fact::Known(None)
            }
            Fact::Unknown(fault) => Fact::Unknown(fault),
        }
    }

    async fn hosting(&self) -> Fact<guard::Hosting> {
        let relay = &self.judge.policy.relay;
        match self.command.forward_path().and_then(|path| relay.directory_mailbox(path)) {
            Some(mailbox) => facts::hosting(&self.judge.sources.directory, relay, &mailbox).await.map(|found| {
                if !found.has_choices && matches!(found.hosting, guard::Hosting::Mailbox | guard::Hosting::Alias) {
                    let _ = self.nobody_chose.set(());
                }
                found.hosting
            }),
            None => Fact::Known(guard::Hosting::NotHosted),
        }
    }

    async fn choice(&self) -> Fact<Choice> {
        let relay = &self.judge.policy.relay;
        let mailbox = self.command.forward_path().and_then(|path| relay.directory_mailbox(path));
        match (mailbox, self.case.reverse_path()) {
            (Some(mailbox), Some(by)) => facts::choice(&self.judge.sources.directory, &mailbox, by).await,
            _ => Fact::Known(Choice::None),
        }
    }

    fn origin(&self) -> guard::Origin {
        self.case.client().map(|client| self.judge.terms.tables.origin(client)).unwrap_or_default()
    }

    async fn entries_of_all(&self) -> Vec<guard::rule::Entry> {
        let (tables, subjects) = (&self.judge.terms.tables, self.subjects());
        tables.entries_with(&subjects, &tables.answers(&subjects, self.until).await)
    }

    fn subjects(&self) -> Subjects<'_> {
        Subjects::of(&self.case.guard, self.command)
    }
}
