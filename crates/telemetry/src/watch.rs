//! The watch over the running server: takes up what is seen, decides what is an alarm, and has it told.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use config::{AlarmLanguage, Settings};
use delivery::Fate;
use jiff::Timestamp;
use keep::{Language, tally};
use spool::Origin;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::alarm::{Alarm, Kind, Level, Message, Turn};
use crate::courier::{Outlet, Told, carry};
use crate::desk::Desk;
use crate::far::FarSides;
use crate::pad::{Pad, Pads};
use crate::rules::{self, Bounds, Look};
use crate::{command, webhook};

/// How long ago the queue is compared with.
const BEFORE: Duration = Duration::from_hours(1);
/// Lengths of the queue remembered for it: one a minute.
const LENGTHS_MAX: usize = 61;
const MINUTE: Duration = Duration::from_mins(1);

/// Puts an alarm as a mail to this address into the queue.
pub type Post = Box<dyn Fn(String, Arc<Message>) -> Posting + Send + Sync>;
/// A mail on its way there.
pub type Posting = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// How alarms are told now.
struct Terms {
    hostname: String,
    language: Language,
    quiet: Duration,
    bounds: Bounds,
    outlets: Vec<Outlet>,
}

/// All that watching needs; one for a server.
pub struct Watch {
    /// How much each sender sends.
    pub pads: Pads,
    /// What other servers say no to.
    pub far: FarSides,
    /// What became of messages to receivers of alarms.
    pub told: Arc<Told>,
    desk: Mutex<Desk>,
    terms: Mutex<Terms>,
    post: Arc<OnceLock<Post>>,
    lengths: Mutex<VecDeque<(Instant, u64)>>,
    began: Instant,
}

impl Watch {
    /// By these settings. Nobody but the log is told before [`Watch::follow`].
    pub fn new(settings: &Settings) -> Self {
        Self {
            pads: Pads::default(),
            far: FarSides::default(),
            told: Arc::default(),
            desk: Mutex::default(),
            terms: Mutex::new(terms(settings, Vec::new())),
            post: Arc::default(),
            lengths: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// How mails get into the queue; before that none are sent. The first call counts.
    pub fn mail_by(&self, post: Post) {
        let _ = self.post.set(post);
    }

    /// Goes by these settings from now on, on the current tokio runtime. What waits for receivers of the settings before still goes
    /// to them.
    pub fn follow(&self, settings: &Settings) {
        let outlets = self.outlets(&settings.alarms);
        *locked(&self.terms) = terms(settings, outlets);
    }

    /// Something has happened that an operator must be told.
    pub fn raise(&self, alarm: Alarm) {
        let quiet = locked(&self.terms).quiet;
        let told = locked(&self.desk).raise(alarm, quiet, Instant::now());
        self.tell(told.into_iter().collect());
    }

    /// A test of the receivers: told whatever the quiet time.
    pub fn test(&self) {
        self.tell(vec![(Turn::Raised, Alarm::new(Kind::Test, "", "asked for by sekisho alarm test"))]);
    }

    /// The server was looked at: what is so now is raised, what is so no more is over.
    pub fn look(&self, look: &Look) {
        let (quiet, bounds) = {
            let terms = locked(&self.terms);
            (terms.quiet, terms.bounds.clone())
        };
        let now = Instant::now();
        let happened =
            tally::notices().into_iter().filter_map(|it| Some(Alarm::new(Kind::of_notice(it.what)?, it.of, "")));
        let alarms: Vec<Alarm> = rules::alarms(look, &bounds).into_iter().chain(happened).collect();
        let told = {
            let mut desk = locked(&self.desk);
            let raised: Vec<_> = alarms.into_iter().filter_map(|alarm| desk.raise(alarm, quiet, now)).collect();
            [raised, desk.settle(quiet, now)].concat()
        };
        self.tell(told);
    }

    /// Time has passed: what senders did more than an hour ago counts no more. Gives what the queue was an hour ago, or at the start.
    pub fn pass(&self, messages: u64) -> u64 {
        let now = Instant::now();
        self.pads.pass(self.began.elapsed());
        let mut lengths = locked(&self.lengths);
        if lengths.back().is_none_or(|(at, _)| now.duration_since(*at) >= MINUTE) {
            lengths.push_back((now, messages));
        }
        while lengths.len() > LENGTHS_MAX || lengths.front().is_some_and(|(at, _)| now.duration_since(*at) > BEFORE) {
            lengths.pop_front();
        }
        lengths.front().map_or(messages, |(_, messages)| *messages)
    }

    /// Whether what is usual for a sender cannot be known yet.
    pub fn is_young(&self) -> bool {
        self.began.elapsed() < BEFORE
    }

    /// What the queue was an hour ago, or at the start.
    pub fn messages_before(&self) -> Option<u64> {
        locked(&self.lengths).front().map(|(_, messages)| *messages)
    }

    /// What is in force, the worst first, and for how long.
    pub fn in_force(&self) -> Vec<(Alarm, Duration)> {
        locked(&self.desk).in_force(Instant::now())
    }

    /// The language in which alarms are told.
    pub fn language(&self) -> Language {
        locked(&self.terms).language
    }

    /// What became of a recipient: refusals of other servers are remembered.
    pub fn fate(&self, fate: &Fate<'_>) {
        let Some(class @ (4 | 5)) = fate.reply_class else { return };
        self.far.refused(fate.forward_path, class, Instant::now());
        let Origin::Account(sender) = fate.origin else { return };
        let pad = match (sender.client, sender.login.as_deref()) {
            (Some(client), account) if sender.grant == "pop" => Pad::Grant { client, account },
            (_, Some(login)) => Pad::Login(login),
            (Some(client), None) => Pad::Client(client),
            (None, None) => return,
        };
        if class == 5 {
            self.pads.refused(pad);
        }
    }

    fn outlets(&self, alarms: &config::Alarms) -> Vec<Outlet> {
        let mut outlets = Vec::new();
        if let Some(url) = &alarms.webhook {
            match webhook::Webhook::new(url) {
                Ok(webhook) => self.open(&mut outlets, "webhook", move |message| {
                    let webhook = webhook.clone();
                    async move { webhook.post(&message).await }
                }),
                Err(error) => warn!(receiver = "webhook", %error, note = "alarms are not posted", "alarm untold"),
            }
        }
        if !alarms.command.is_empty() {
            let command: Arc<[String]> = alarms.command.as_slice().into();
            self.open(&mut outlets, "command", move |message| {
                let command = Arc::clone(&command);
                async move { command::run(&command, &message).await }
            });
        }
        if let Some(postmaster) = alarms.mail.clone() {
            let post = Arc::clone(&self.post);
            self.open(&mut outlets, "mail", move |message| {
                let posting = post.get().map(|post| post(postmaster.clone(), message));
                async move { posting.ok_or("the queue is not there yet".to_owned())?.await }
            });
        }
        outlets
    }

    fn open<F>(
        &self,
        outlets: &mut Vec<Outlet>,
        name: &'static str,
        send: impl FnMut(Arc<Message>) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (outlet, queue): (_, mpsc::Receiver<_>) = Outlet::new(name, Arc::clone(&self.told));
        tokio::spawn(carry(name, queue, Arc::clone(&self.told), send));
        outlets.push(outlet);
    }

    fn tell(&self, told: Vec<(Turn, Alarm)>) {
        for (turn, alarm) in told {
            let terms = locked(&self.terms);
            let message = Arc::new(message(&terms, turn, alarm));
            log(&message);
            for outlet in &terms.outlets {
                outlet.tell(&message);
            }
        }
    }
}

fn terms(settings: &Settings, outlets: Vec<Outlet>) -> Terms {
    let alarms = &settings.alarms;
    Terms {
        hostname: settings.hostname.clone(),
        language: match alarms.language {
            AlarmLanguage::En => Language::English,
            AlarmLanguage::Ja => Language::Japanese,
        },
        quiet: alarms.quiet,
        bounds: Bounds {
            queue_age: alarms.queue_age,
            queue_growth: alarms.queue_growth.into(),
            sender_recipients: alarms.sender_recipients.into(),
        },
        outlets,
    }
}

fn message(terms: &Terms, turn: Turn, alarm: Alarm) -> Message {
    let about = alarm.kind.about();
    let title = about.title(terms.language);
    let over = match (turn, terms.language) {
        (Turn::Raised, _) => "",
        (Turn::Over, Language::English) => "over: ",
        (Turn::Over, Language::Japanese) => "解消：",
    };
    let of = if alarm.subject.is_empty() { String::new() } else { format!(" ({})", alarm.subject) };
    Message {
        state: turn,
        alarm: about.code,
        level: about.level,
        hostname: terms.hostname.clone(),
        text: format!("{over}{title}{of}"),
        subject: alarm.subject,
        title,
        detail: alarm.detail,
        todo: about.todo(terms.language),
        commands: alarm.commands,
        at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

/// The log is in English, as all of it is.
fn log(message: &Message) {
    let Message { alarm, subject, detail, .. } = message;
    let commands = (!message.commands.is_empty()).then(|| message.commands.join("; "));
    match (message.state, message.level) {
        (Turn::Over, _) => info!(alarm, subject, detail, "alarm over"),
        (Turn::Raised, Level::Warning) => warn!(alarm, subject, detail, commands, "alarm raised"),
        (Turn::Raised, Level::Critical) => tracing::error!(alarm, subject, detail, commands, "alarm raised"),
    }
}

// A panic while it was held leaves at worst one alarm too many or too few.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
