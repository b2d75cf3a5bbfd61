//! Whether the next hop of a relay domain has a recipient: what it said lately, or what it says now.
//!
//! Who speaks to next hops stands above this crate; a question goes to it over a bounded channel.

use std::sync::OnceLock;
use std::time::Duration;

use config::{RelayDomain, Verify};
use guard::{Fact, HopAnswer};
use smtp::Mailbox;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::bench::Judge;
use super::facts;

/// Questions that wait to be put. What finds no place is as good as not answered.
const QUESTIONS_MAX: usize = 100;
/// How long an answer is waited for: less than a command may wait for all that it asks.
const ANSWER_WAIT: Duration = Duration::from_secs(4);
/// How long a yes is remembered.
const YES_SPAN: Duration = Duration::from_hours(1);
/// How long a no is, also one to a mail: so long strangers are refused before 250, and a new mailbox there waits.
pub const NO_SPAN: Duration = Duration::from_mins(15);

/// A question to a next hop.
#[derive(Debug)]
pub struct Question {
    /// The next hop, `host:port`.
    pub server: String,
    /// The recipient, without brackets.
    pub forward_path: String,
    /// Where the answer goes: whether it has it; dropped: it does not tell.
    pub answer: oneshot::Sender<bool>,
}

/// The way to whoever asks next hops.
#[derive(Debug, Default)]
pub struct NextHops(OnceLock<mpsc::Sender<Question>>);

impl NextHops {
    /// Where questions come out; once.
    pub fn questions(&self) -> Option<mpsc::Receiver<Question>> {
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        self.0.set(sender).is_ok().then_some(receiver)
    }

    async fn ask(&self, server: String, forward_path: String) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.0.get()?.try_send(Question { server, forward_path, answer }).ok()?;
        tokio::time::timeout(ANSWER_WAIT, answered).await.ok()?.ok()
    }
}

/// What the next hop of a recipient's relay domain says of it. Where nobody is to ask it, only what it said to a mail counts.
pub(super) async fn answer(judge: Judge<'_>, mailbox: Option<&Mailbox>) -> Fact<HopAnswer> {
    let Some(mailbox) = mailbox else { return Fact::Known(HopAnswer::Fine) };
    let (state, forward_path) = (&judge.sources.state, mailbox.to_string());
    match facts::kept(state.is_hop_refused(&forward_path)).await {
        Fact::Known(true) => return Fact::Known(HopAnswer::HasNot),
        Fact::Known(false) => {}
        Fact::Unknown(fault) => return Fact::Unknown(fault),
    }
    let Some((relay, server)) = asked(judge, mailbox) else { return Fact::Known(HopAnswer::Fine) };
    if facts::kept(state.is_hop_taking(&forward_path)).await == Fact::Known(true) {
        return Fact::Known(HopAnswer::Fine);
    }
    let has = judge.sources.next_hops.ask(server, forward_path.clone()).await;
    let remembered = match has {
        Some(true) => state.hop_takes(&forward_path, YES_SPAN).await,
        Some(false) => state.hop_refused(&forward_path, NO_SPAN).await,
        None => Ok(()),
    };
    // Forgotten, it is asked again.
    let _ = remembered.inspect_err(|error| debug!(%error, "hop unremembered"));
    Fact::Known(match has {
        Some(false) => HopAnswer::HasNot,
        None if relay.verify == Verify::Strict => HopAnswer::Away,
        Some(true) | None => HopAnswer::Fine,
    })
}

/// The relay domain whose next hop is to be asked, and that hop.
fn asked<'j>(judge: Judge<'j>, mailbox: &Mailbox) -> Option<(&'j RelayDomain, String)> {
    let domain = mailbox.host.domain()?;
    let relay = judge.terms.settings.domains.relay.iter().find(|relay| relay.domain == *domain)?;
    let hop = relay.next_hop.as_ref().filter(|_| relay.verify != Verify::No)?;
    Some((relay, format!("{}:{}", hop.host, hop.port)))
}
