//! Whose turn it is to have a password checked: so many at a time, the others wait. Guesses are checks too, and whoever
//! guesses may be many; so the queue has shares:
//!
//! * those who come from a network where the account's owner has logged in lately have a line of their own, which no guess
//!   made elsewhere is in, and three turns of four;
//! * the others take turns client by client, not check by check; when their line is full, the client with the most in it
//!   makes room for one who has fewer.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Checks that may wait in each of the two lines before the answer is "busy".
const WAITING_MAX: usize = 1_024;
/// Of so many turns in a row one is for the others, while both lines wait.
const TURNS_OF_OWNERS: u32 = 3;

/// For whom a password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// For somebody at a network where the account's owner has logged in lately, or for an operator.
    Known(IpAddr),
    /// For somebody elsewhere.
    Other(IpAddr),
}

impl Client {
    /// Its address.
    pub fn ip(self) -> IpAddr {
        match self {
            Self::Known(ip) | Self::Other(ip) => ip,
        }
    }
}

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        Self::Other(ip)
    }
}

/// The turns of one number of checks at a time.
pub(crate) struct Turns {
    lines: Mutex<Lines>,
}

struct Lines {
    free: usize,
    known: VecDeque<oneshot::Sender<Turn>>,
    other: Others,
    /// Turns that the known have had while others waited.
    in_a_row: u32,
}

/// Those who wait, by client.
#[derive(Default)]
struct Others {
    lines: HashMap<IpAddr, VecDeque<oneshot::Sender<Turn>>>,
    /// Each client that waits stands here once.
    order: VecDeque<IpAddr>,
    waiting: usize,
}

/// A turn; dropped, it is the next one's.
pub(crate) struct Turn {
    /// `None`: it has been passed on.
    turns: Option<Arc<Turns>>,
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Arc<Self> {
        let (known, other) = (VecDeque::new(), Others::default());
        Arc::new(Self { lines: Mutex::new(Lines { free: at_once.max(1), known, other, in_a_row: 0 }) })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; `None`: too many wait. Cancel-safe.
    pub(crate) async fn turn(self: &Arc<Self>, client: Client) -> Option<Turn> {
        let awaited = {
            let mut lines = self.lines();
            if lines.free > 0 {
                lines.free -= 1;
                return Some(Turn { turns: Some(Arc::clone(self)) });
            }
            let (turn, awaited) = oneshot::channel();
            if !lines.enter(client, turn) {
                return None;
            }
            awaited
        };
        // An error: somebody else was given the place in the line.
        awaited.await.ok()
    }

    /// Turns that nobody has.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.lines().free
    }
}

impl Lines {
    fn enter(&mut self, client: Client, turn: oneshot::Sender<Turn>) -> bool {
        match client {
            Client::Known(_) => {
                if self.known.len() >= WAITING_MAX {
                    // Of those who are gone none waits.
                    self.known.retain(|one| !one.is_closed());
                }
                let has_room = self.known.len() < WAITING_MAX;
                if has_room {
                    self.known.push_back(turn);
                }
                has_room
            }
            Client::Other(ip) => self.other.enter(subscriber(ip), turn),
        }
    }

    /// The next in turn.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let is_others = self.known.is_empty() || self.in_a_row >= TURNS_OF_OWNERS;
        if is_others && let Some(next) = self.other.next() {
            self.in_a_row = 0;
            return Some(next);
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.known.pop_front()
    }
}

impl Others {
    fn enter(&mut self, client: IpAddr, turn: oneshot::Sender<Turn>) -> bool {
        if self.waiting >= WAITING_MAX && !self.make_room(client) {
            return false;
        }
        let line = self.lines.entry(client).or_default();
        if line.is_empty() {
            self.order.push_back(client);
        }
        line.push_back(turn);
        self.waiting += 1;
        true
    }

    /// The last of the longest line goes, unless the one who comes has as many himself. One look at each client.
    fn make_room(&mut self, comer: IpAddr) -> bool {
        let own = self.lines.get(&comer).map_or(0, VecDeque::len);
        let longest = self.lines.iter().max_by_key(|(_, line)| line.len());
        let Some(client) = longest.filter(|(_, line)| line.len() > own + 1).map(|(client, _)| *client) else {
            return false;
        };
        if self.lines.get_mut(&client).is_some_and(|line| line.pop_back().is_some()) {
            self.waiting -= 1;
        }
        true
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let client = self.order.pop_front()?;
        let line = self.lines.get_mut(&client)?;
        let next = line.pop_front();
        self.waiting -= usize::from(next.is_some());
        if line.is_empty() {
            self.lines.remove(&client);
        } else {
            self.order.push_back(client);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.turns.take() else { return };
        let mut lines = turns.lines();
        let mut turn = Self { turns: Some(Arc::clone(&turns)) };
        while let Some(next) = lines.next() {
            match next.send(turn) {
                Ok(()) => return,
                // The one whose turn it was is gone.
                Err(back) => turn = back,
            }
        }
        turn.turns = None;
        lines.free += 1;
    }
}

/// An IPv4 address, an IPv6 /64.
fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn client(n: u8) -> Client {
        Client::Other(IpAddr::from([203, 0, 113, n]))
    }

    fn owner() -> Client {
        Client::Known(IpAddr::from([192, 0, 2, 1]))
    }

    type Waiting<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + 'a>>;

    /// Begins to wait; the turn if there is one at once.
    fn begin(turns: &Arc<Turns>, client: Client) -> Waiting<'_> {
        let mut waiting: Waiting<'_> = Box::pin(turns.turn(client));
        assert!(look(&mut waiting).is_pending());
        waiting
    }

    fn look(waiting: &mut Waiting<'_>) -> Poll<Option<Turn>> {
        waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn at_once(turns: &Arc<Turns>) -> Turn {
        let mut waiting: Waiting<'_> = Box::pin(turns.turn(client(0)));
        match look(&mut waiting) {
            Poll::Ready(Some(turn)) => turn,
            _ => panic!("no turn"),
        }
    }

    /// In whose order turns come.
    fn served(mut waiting: Vec<(&'static str, Waiting<'_>)>, first: Turn) -> Vec<&'static str> {
        let (mut order, mut turn) = (Vec::new(), Some(first));
        while let Some(now) = turn.take() {
            drop(now);
            waiting.retain_mut(|(name, one)| {
                let Poll::Ready(Some(got)) = look(one) else { return true };
                order.push(*name);
                turn = Some(got);
                false
            });
        }
        order
    }

    #[test]
    fn clients_take_turns_and_owners_wait_for_no_flood() {
        let turns = Turns::new(1);
        let first = at_once(&turns);
        let mut waiting = Vec::new();
        for _ in 0..4 {
            waiting.push(("flood", begin(&turns, client(1))));
        }
        waiting.push(("honest", begin(&turns, client(2))));
        for _ in 0..4 {
            waiting.push(("owner", begin(&turns, owner())));
        }
        let expected = ["owner", "owner", "owner", "flood", "owner", "honest", "flood", "flood", "flood"];
        assert_eq!(served(waiting, first), expected);
        assert_eq!(turns.free(), 1);
    }

    #[test]
    fn a_full_line_makes_room_for_who_has_fewer_in_it_and_owners_have_their_own() {
        let turns = Turns::new(1);
        let first = at_once(&turns);
        let mut flood: Vec<_> = (0..WAITING_MAX).map(|_| begin(&turns, client(1))).collect();
        let mut one_more: Waiting<'_> = Box::pin(turns.turn(client(1)));
        assert!(matches!(look(&mut one_more), Poll::Ready(None)), "busy");
        let _honest = begin(&turns, client(2));
        let out = flood.iter_mut().filter_map(|one| match look(one) {
            Poll::Ready(turn) => Some(turn.is_none()),
            Poll::Pending => None,
        });
        assert_eq!(out.collect::<Vec<_>>(), [true], "one of the flood went");
        let _owner = begin(&turns, owner());
        drop((flood, first));
    }

    #[test]
    fn who_goes_while_waiting_passes_the_turn_on() {
        let turns = Turns::new(1);
        let first = at_once(&turns);
        let (gone, got) = (begin(&turns, client(1)), begin(&turns, client(2)));
        let mut second = begin(&turns, client(3));
        drop(gone);
        drop(first);
        // He has the turn already, and goes without looking.
        drop(got);
        assert!(matches!(look(&mut second), Poll::Ready(Some(_))));
        drop(second);
        assert_eq!(turns.free(), 1);
    }
}
