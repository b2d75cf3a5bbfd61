//! A week of mixed traffic, from a seed, by a clock that is set: what is caught and when, which good mail is delayed and for how
//! long. `scripts/test simulate` runs the long one; here some thousand sessions of each day.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod names;
mod senders;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use directory::{Directory, NewAccount, ServerKey};
use guard::never_granted::Here;
use guard::{AskedRcpt, Manner, Outcome, Reason};
use judge::records::Records;
use judge::{Case, Connected, Judge, SessionIds, Sources, Terms};
use smtp::{ForwardPath, ReversePath};
use state::{Clock, ManualClock, State, StateConfig};

use senders::{Kind, OFFICE, Sender};

const WEEK_SECS: u64 = 7 * 24 * 3_600;
/// After how many seconds an honest server tries again, counted from the first try.
const RETRIES_SECS: [u64; 6] = [300, 900, 1_800, 3_600, 7_200, 14_400];
/// Recipients that are there.
const USERS: u64 = 100;

/// Random numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// One mail that is being sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sending {
    at: u64,
    first: u64,
    attempt: u32,
    sender: Sender,
    recipient: String,
    random: u64,
}

#[derive(Debug, Default, Clone)]
struct Tally {
    sent: u64,
    taken: u64,
    refused: u64,
    delayed: u64,
    given_up: u64,
    longest_secs: u64,
    reasons: BTreeMap<&'static str, u64>,
}

struct World {
    sources: Sources,
    terms: Terms,
    clock: ManualClock,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new(start: SystemTime) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "hostname = 'mail.example.test'\ndata_dir = '.'\ndomains.default = 'example.test'\nguard.defaults = true\n\
             relay.networks = ['{OFFICE}']\n"
        );
        let text = config::Text { name: "t.toml", text: &text, base_dir: dir.path() };
        let settings = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        let clock = ManualClock::at(start);
        let state = StateConfig { clock: Clock::from(clock.clone()), ..StateConfig::default() };
        let asked = dns::Settings { servers: vec![names::serve().await], timeout: Duration::from_secs(5) };
        let dns = Arc::new(dns::Resolver::new(&asked).unwrap());
        let sources = Sources {
            reputation: reputation::Reputation::new(Some(&dns)),
            directory: Arc::new(accounts(dir.path()).await),
            state: Arc::new(State::open_with(dir.path().join("state"), state).unwrap()),
            dns: Some(dns),
            next_hops: judge::next_hops::NextHops::default(),
            records: Records::default(),
            identities: judge::identity::Identities::default(),
            relay_lock: judge::lock::RelayLock::default(),
            uses: judge::uses::Uses::unkept(),
            files: judge::Files::default(),
            sessions: SessionIds::default(),
            decoy_key: [1; 32],
            guess_key: [2; 32],
        };
        let terms = Terms::in_place(Arc::new(settings), 1, &Here::default()).unwrap();
        Self { sources, terms, clock, _dir: dir }
    }

    /// What one try comes to: the reason of a refusal, and whether it is for good.
    async fn attempt(&self, sending: &Sending) -> Option<(Reason, bool)> {
        let client = Some(IpAddr::V4(sending.sender.address(sending.attempt)));
        let connected = Connected { client, session: self.sources.sessions.next(), listener: "mx".into() };
        let mut case = Case::new(connected, Manner::OWN);
        sending.sender.behaves(sending.random, &mut case);
        case.greeted(Some(sending.sender.helo(sending.attempt, sending.random)));
        let from = format!("<u{}@{}>", sending.random % 1_000, sending.sender.domain());
        case.begin(ReversePath::parse(&from).unwrap(), None);
        let judge = Judge { sources: &self.sources, terms: &self.terms, policy: &self.terms.policy };
        if let Some(refusal) = judge.mail(&mut case).await.outcome.refusal() {
            return Some((refusal.reason, !refusal.reason.is_temporary()));
        }
        let path = ForwardPath::parse(&format!("<{}@example.test>", sending.recipient)).unwrap();
        let asked = AskedRcpt { forward_path: &path.path, had_source_route: false };
        match judge.rcpt(&mut case, asked).await.outcome {
            Outcome::Refuse(refusal) => Some((refusal.reason, true)),
            Outcome::Defer(refusal) => Some((refusal.reason, false)),
            Outcome::Accept(_) | Outcome::Proceed => None,
        }
    }
}

async fn accounts(dir: &std::path::Path) -> Directory {
    let key = ServerKey::load_or_create(&dir.join("server.key")).unwrap();
    let settings = directory::Settings { default_domain: "example.test".to_owned(), ..directory::Settings::default() };
    let directory = Directory::open(&dir.join("directory.sqlite"), &key, settings).await.unwrap();
    directory.add_domain("example.test").await.unwrap();
    let account = NewAccount { login: "user0".to_owned(), ..NewAccount::default() };
    directory.create_account(account).await.unwrap();
    for n in 1..USERS {
        directory.add_address("user0", &format!("user{n}@example.test")).await.unwrap();
    }
    directory
}

/// All first tries of the week, in their order.
fn week(sessions: u64, seed: u64) -> BinaryHeap<Reverse<Sending>> {
    let mut random = Random(seed);
    let mut heap = BinaryHeap::new();
    for n in 0..sessions {
        let mut dice = (random.next() % 1_000) as u32;
        let kind = Kind::ALL.iter().find(|(_, share)| {
            let here = dice < *share;
            dice = dice.saturating_sub(*share);
            here
        });
        let kind = kind.map_or(Kind::Upright, |(kind, _)| *kind);
        let (which, random) = (random.next(), random.next());
        let guesses = kind == Kind::Dictionary && which % 100 != 0;
        let recipient = if guesses { format!("nobody{}", which % 1_000_000) } else { format!("user{}", which % USERS) };
        let at = n * WEEK_SECS / sessions;
        let sender = Sender::any(kind, which >> 20);
        heap.push(Reverse(Sending { at, first: at, attempt: 0, sender, recipient, random }));
    }
    heap
}

async fn run(sessions: u64, seed: u64) -> BTreeMap<Kind, Tally> {
    let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let world = World::new(start).await;
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    let mut heap = week(sessions, seed);
    while let Some(Reverse(sending)) = heap.pop() {
        world.clock.set(start + Duration::from_secs(sending.at));
        let came_to = world.attempt(&sending).await;
        let tally = tallies.entry(sending.sender.kind).or_default();
        tally.sent += u64::from(sending.attempt == 0);
        let Some((reason, for_good)) = came_to else {
            let delay = sending.at - sending.first;
            tally.taken += 1;
            tally.delayed += u64::from(delay > 0);
            tally.longest_secs = tally.longest_secs.max(delay);
            continue;
        };
        *tally.reasons.entry(reason.code()).or_default() += 1;
        let retry = RETRIES_SECS.get(sending.attempt as usize).filter(|_| sending.sender.kind.is_good() && !for_good);
        match retry {
            Some(after) => {
                let at = sending.first + after;
                heap.push(Reverse(Sending { at, attempt: sending.attempt + 1, ..sending }));
            }
            None if for_good => tally.refused += 1,
            None => tally.given_up += 1,
        }
    }
    tallies
}

fn print(tallies: &BTreeMap<Kind, Tally>) {
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}  reasons",
        "kind", "sent", "taken", "delayed", "refused", "left", "longest"
    );
    for (kind, tally) in tallies {
        let Tally { sent, taken, refused, delayed, given_up, longest_secs, reasons } = tally;
        let reasons: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let kind = format!("{kind:?}");
        println!(
            "{kind:<12} {sent:>8} {taken:>8} {delayed:>8} {refused:>8} {given_up:>8} {longest_secs:>7} s  {}",
            reasons.join(", ")
        );
    }
}

/// Every good mail is there within ten minutes, none is refused; of the dictionary next to nothing comes through. How many
/// sessions: `SEKISHO_SIMULATE_SESSIONS`.
#[tokio::test]
async fn a_week_of_mixed_traffic() {
    let sessions = std::env::var("SEKISHO_SIMULATE_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let tallies = run(sessions, 1).await;
    print(&tallies);
    for (kind, tally) in &tallies {
        if kind.is_good() {
            assert_eq!((tally.refused, tally.given_up, tally.taken), (0, 0, tally.sent), "{kind:?}");
            assert!(tally.longest_secs <= 600, "{kind:?}: {} s", tally.longest_secs);
        }
    }
    let dictionary = &tallies[&Kind::Dictionary];
    assert!(dictionary.taken * 100 <= dictionary.sent, "{dictionary:?}");
    // A bot that sends for one domain again within two days comes back as servers do, and is taken: the more sessions a bot has, the more
    // of them. With 300,000 sessions each has four and a half in the week, and 3.3 % are taken.
    let botnet = &tallies[&Kind::Botnet];
    assert!(botnet.taken * 20 <= botnet.sent, "{botnet:?}");
}
