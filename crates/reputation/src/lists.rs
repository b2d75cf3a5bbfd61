//! All lists of the configuration, asked at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::{Dnsbl, ListKind};
use dns::{Answer, Failure, Resolver};
use futures_util::future::join_all;
use guard::rule::Mode;
use guard::{Listing, is_public};
use tokio::sync::Notify;

use crate::list::{About, List, ListStatus};
use crate::standing::{Points, judged};

/// Longest wait for one list; below what a stage of a judgement waits for all it must know, so that a dead list does not take the
/// others' answers with it.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How often the lists are looked after.
const TEND: Duration = Duration::from_secs(30);

/// The lists.
#[derive(Debug)]
pub struct Lists {
    dns: Option<Arc<Resolver>>,
    all: ArcSwap<Vec<Arc<List>>>,
    changed: Notify,
}

impl Lists {
    pub(crate) fn new(dns: Option<Arc<Resolver>>) -> Self {
        Self { dns, all: ArcSwap::default(), changed: Notify::new() }
    }

    /// Goes by these from now on. What is known of a list whose settings stay is kept.
    pub fn follow(&self, settings: &[Dnsbl]) {
        let (known, now) = (self.all.load(), Instant::now());
        let kept = |wanted: &Dnsbl| known.iter().find(|list| list.settings == *wanted).map(Arc::clone);
        let lists = settings.iter().map(|wanted| kept(wanted).unwrap_or_else(|| Arc::new(List::new(wanted, now))));
        self.all.store(Arc::new(lists.collect()));
        self.changed.notify_one();
    }

    /// The lists that have a client's address.
    pub async fn client(&self, address: IpAddr) -> Vec<Listing> {
        let address = address.to_canonical();
        // Nobody's list can know another, and asking would tell of our network.
        if is_public(address) { self.ask(ListKind::Ip, About::Address(address)).await } else { Vec::new() }
    }

    /// The lists that have a domain.
    pub async fn domain(&self, domain: &str) -> Vec<Listing> {
        self.ask(ListKind::Domain, About::Domain(domain)).await
    }

    /// The same for who only wants to know: it counts neither for the lists nor against the client.
    pub async fn look_at_client(&self, address: IpAddr) -> Vec<Listing> {
        let address = address.to_canonical();
        if is_public(address) { self.look(ListKind::Ip, About::Address(address)).await } else { Vec::new() }
    }

    /// The same of a domain.
    pub async fn look_at_domain(&self, domain: &str) -> Vec<Listing> {
        self.look(ListKind::Domain, About::Domain(domain)).await
    }

    async fn ask(&self, kind: ListKind, about: About<'_>) -> Vec<Listing> {
        self.each(kind, about, |list, answer, now| list.answered(about, answer, now)).await
    }

    async fn look(&self, kind: ListKind, about: About<'_>) -> Vec<Listing> {
        self.each(kind, about, |list, answer, now| list.looked_at(about, answer, now)).await
    }

    async fn each(
        &self,
        kind: ListKind,
        about: About<'_>,
        meant: impl Fn(&List, &Answer<Vec<Ipv4Addr>>, Instant) -> Option<Listing>,
    ) -> Vec<Listing> {
        let meant = &meant;
        let Some(dns) = &self.dns else { return Vec::new() };
        let (lists, now) = (self.all.load_full(), Instant::now());
        let asked = lists.iter().filter(|list| list.settings.kind == kind).filter_map(|list| {
            let name = list.question(about, now)?;
            Some(async move { meant(list, &in_time(dns, &name).await, Instant::now()) })
        });
        let found = join_all(asked).await;
        unless_allowed(found.into_iter().flatten().collect())
    }

    /// Asks the test points of the lists, whenever they are due, until it is dropped.
    pub async fn tend(&self) {
        loop {
            self.test().await;
            // Either way there is something to be looked at.
            let _ = tokio::time::timeout(TEND, self.changed.notified()).await;
        }
    }

    /// Asks the test points that are due, once.
    pub async fn test(&self) {
        let Some(dns) = &self.dns else { return };
        let (lists, now) = (self.all.load_full(), Instant::now());
        let points = lists.iter().flat_map(|list| list.due(now).into_iter().map(move |due| (list, due)));
        join_all(points.map(|(list, points)| test(dns, list, points))).await;
    }

    /// How each stands.
    pub fn status(&self) -> Vec<ListStatus> {
        let now = Instant::now();
        self.all.load().iter().map(|list| list.status(now)).collect()
    }
}

async fn test(dns: &Resolver, list: &List, points: Points) {
    let (listed, unlisted) = tokio::join!(in_time(dns, &points.listed), in_time(dns, &points.unlisted));
    list.tested(points.family, judged(&listed, &unlisted), Instant::now());
}

async fn in_time(dns: &Resolver, name: &str) -> Answer<Vec<Ipv4Addr>> {
    let answer = tokio::time::timeout(WAIT_MAX, Box::pin(dns.ipv4(name))).await;
    answer.unwrap_or(Answer::Failed(Failure::TimedOut))
}

/// A list that speaks for somebody wins over all that speak against him; one that is only tried changes nothing.
fn unless_allowed(mut listings: Vec<Listing>) -> Vec<Listing> {
    if listings.iter().any(|listing| listing.weight < 0 && listing.mode == Mode::Enforce) {
        listings.retain(|listing| listing.weight < 0);
    }
    listings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_for_somebody_wins_unless_he_is_only_tried() {
        let listing = |weight, mode| Listing { zone: "l".into(), code: Ipv4Addr::new(127, 0, 0, 2), weight, mode };
        let weights = |listings| unless_allowed(listings).iter().map(|it| it.weight).collect::<Vec<_>>();
        let (bad, good) = (listing(5, Mode::Enforce), listing(-1, Mode::Enforce));
        assert_eq!(weights(vec![bad.clone(), good]), [-1]);
        assert_eq!(weights(vec![bad.clone(), listing(-1, Mode::Observe)]), [5, -1]);
        assert_eq!(weights(vec![bad]), [5]);
    }
}
