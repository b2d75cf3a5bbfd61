//! A mail's way through an open spool: accepted, leased, settled, held, listed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::str::FromStr as _;
use std::time::Duration;

use common::*;
use spool::{AcceptError, Envelope, Filter, Origin, Outcome, QueueId, RecipientState, Spool, SpoolConfig};

#[tokio::test]
async fn a_mail_is_handed_out_as_it_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, recovery) = open(dir.path());
    assert_eq!(recovery.messages, 0);
    for len in [0, 1, 5000, 8 << 10, (8 << 10) + 1, 700_000] {
        let body = octets(7, len);
        let id = accept(&spool, "alice@example.test", &body).await;
        let job = spool.next(ARRIVED).await.unwrap();
        assert_eq!((job.id, job.due.clone(), job.attempt), (id, vec![0], 1));
        assert_eq!(job.envelope.reverse_path, "alice@example.test");
        assert_eq!(job.body.len(), len as u64);
        assert_eq!(content(&job).await, body, "{len} octets");
        let settled = spool.settle(id, vec![(0, delivered())]).await;
        assert!(settled.finished);
    }
    assert!(spool.is_empty());
    spool.close().await;
    let left = std::fs::read_dir(dir.path().join("large")).unwrap().count();
    assert_eq!(left, 0, "large files are gone with their mails");
}

#[tokio::test]
async fn a_mail_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let mut incoming = spool.incoming();
    incoming.write(vec![1; 100_000]).await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("large")).unwrap().count(), 1);
    drop(incoming);
    assert_eq!(std::fs::read_dir(dir.path().join("large")).unwrap().count(), 0);
    assert!(spool.is_empty());
}

#[tokio::test]
async fn an_envelope_without_recipients_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let refused = spool.incoming().commit(envelope("a@b", &[]), Vec::new()).await;
    assert!(matches!(refused, Err(AcceptError::Envelope(_))), "{refused:?}");
}

#[tokio::test]
async fn recipients_are_settled_and_wait_each_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = spool.incoming().commit(envelope("a@b", &["x@y", "p@q", "r@s"]), b"mail".to_vec()).await.unwrap();
    let job = spool.next(ARRIVED).await.unwrap();
    assert_eq!(job.due, [0, 1, 2]);
    let failed = Outcome::Failed { reply: "550 no".into() };
    let settled = spool.settle(id, vec![(0, delivered()), (1, failed), (2, deferred("busy"))]).await;
    assert!(!settled.finished && settled.expired.is_empty());
    drop(job);
    assert!(spool.try_next(ARRIVED + 4 * MINUTE).await.is_none(), "five minutes are not over");
    let job = spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap();
    assert_eq!((job.due.clone(), job.attempt, job.last_attempt), (vec![2], 2, false));
    assert_eq!(content(&job).await, b"mail", "read back from the segment");
    let listed = spool.show(id).await.unwrap();
    let states: Vec<_> = listed.recipients.iter().map(|r| (r.state, r.reason.as_deref())).collect();
    assert_eq!(
        states,
        [
            (RecipientState::Delivered, None),
            (RecipientState::Failed, Some("550 no")),
            (RecipientState::Waiting, Some("busy"))
        ]
    );
    assert!(spool.settle(id, vec![(2, delivered())]).await.finished);
}

#[tokio::test]
async fn the_last_attempt_is_announced_and_then_expires() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.backoff.give_up_after = Duration::ZERO;
    let (spool, _) = Spool::open(config).unwrap();
    let id = accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    assert!(job.last_attempt);
    let settled = job.settle(vec![(0, deferred("still busy"))]);
    assert_eq!((settled.finished, settled.expired), (true, vec![0]));
    assert!(spool.show(id).await.is_none());
}

#[tokio::test]
async fn a_message_may_be_held_from_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let mut held = Vec::new();
    for octets in [4, 20 << 10] {
        let (spool, _) = open(dir.path());
        let mut incoming = spool.incoming();
        incoming.hold("rule");
        let id = incoming.commit(envelope("a@b", &["x@y", "p@q"]), vec![b'm'; octets]).await.unwrap();
        held.push(id);
        assert!(spool.try_next(ARRIVED + 600 * MINUTE).await.is_none(), "it is not tried");
        spool.close().await;
    }
    let (spool, _) = open(dir.path());
    assert!(spool.try_next(ARRIVED + 600 * MINUTE).await.is_none(), "nor after a restart");
    let only = Filter { limit: 9, held: Some(true), ..Filter::default() };
    assert_eq!(spool.list(&only).await.iter().map(|it| it.id).collect::<Vec<_>>(), held);
    for id in held {
        assert!(spool.release(id, ARRIVED + MINUTE).await.unwrap());
        let job = spool.try_next(ARRIVED + MINUTE).await.unwrap();
        assert_eq!((job.id, job.due.len()), (id, 2), "released, it is due at once");
        job.settle(vec![(0, delivered()), (1, delivered())]);
    }
    assert!(spool.is_empty());
}

#[tokio::test]
async fn t38_a_leased_message_is_handed_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    let far = ARRIVED + 10 * 24 * 60 * MINUTE;
    assert!(spool.try_next(far).await.is_none(), "a slow holder does not lose its lease");
    spool.retry(job.id, far).await.unwrap();
    assert!(spool.try_next(far).await.is_none(), "nor by the operator's impatience");
    drop(job);
    assert!(spool.try_next(far).await.is_some(), "nothing is lost");
}

#[tokio::test]
async fn t38_a_job_dropped_unsettled_comes_back_and_does_not_spin() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = spool.incoming().commit(envelope("a@b", &["x@y", "p@q"]), b"mail".to_vec()).await.unwrap();
    let job = spool.next(ARRIVED).await.unwrap();
    spool.settle(id, vec![(0, delivered())]).await;
    drop(job);
    let job = spool.try_next(ARRIVED).await.unwrap();
    assert_eq!(job.due, [1], "what was settled is not due again");
    drop(job);
    assert!(spool.try_next(ARRIVED).await.is_none(), "a failing holder waits a little");
    assert!(spool.try_next(ARRIVED + MINUTE).await.is_some());
}

#[tokio::test]
async fn t38_a_settled_attempt_dropped_late_returns_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    accept(&spool, "a@b", b"mail").await;
    let old = spool.next(ARRIVED).await.unwrap();
    old.settle(vec![(0, deferred("busy"))]);
    let new = spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap();
    drop(old);
    assert!(spool.try_next(ARRIVED + 60 * MINUTE).await.is_none(), "the new holder's lease stands");
    assert!(new.settle(vec![(0, delivered())]).finished);
}

#[tokio::test]
async fn t38_a_message_deleted_under_its_holder_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    assert!(spool.delete(id).await.unwrap());
    assert!(!spool.delete(id).await.unwrap());
    assert_eq!(content(&job).await, b"mail", "the holder can finish");
    assert!(job.settle(vec![(0, deferred("busy"))]).finished);
    drop(job);
    assert!(spool.try_next(ARRIVED + 60 * MINUTE).await.is_none());
}

#[tokio::test]
async fn t38_a_cancelled_wait_loses_no_message() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    job.settle(vec![(0, deferred("busy"))]);
    drop(job);
    // Loading from disk is under way when the future goes.
    let mut next = Box::pin(spool.next(ARRIVED + 6 * MINUTE));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_ready())).await;
    drop(next);
    assert!(!polled);
    assert_eq!(spool.try_next(ARRIVED + 7 * MINUTE).await.unwrap().id, id);
}

#[tokio::test]
async fn who_waits_is_woken_by_a_mail_and_by_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let waiting = tokio::spawn({
        let spool = std::sync::Arc::clone(&spool);
        async move {
            let first = spool.next(ARRIVED).await.map(|job| job.id);
            (first, spool.next(ARRIVED).await.map(|job| job.id))
        }
    });
    tokio::task::yield_now().await;
    let id = accept(&spool, "a@b", b"mail").await;
    // The job was dropped unsettled, so it came back once; then the wait for it ends with the spool.
    spool.close().await;
    let (first, _) = waiting.await.unwrap();
    assert!(first == Some(id) || first.is_none());
    assert!(spool.next(ARRIVED).await.is_none());
    let refused = spool.incoming().commit(envelope("a@b", &["x@y"]), Vec::new()).await;
    assert!(matches!(refused, Err(AcceptError::Closed)));
}

#[tokio::test]
async fn a_held_message_waits_for_its_release_also_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = accept(&spool, "a@b", b"mail").await;
    let other = accept(&spool, "c@d", b"mail").await;
    assert!(spool.hold(id).await.unwrap());
    assert_eq!(spool.next(ARRIVED).await.unwrap().id, other);
    let held = Filter { held: Some(true), limit: 10, ..Filter::default() };
    assert_eq!(spool.list(&held).await.len(), 1);
    spool.close().await;
    drop(spool);
    let (spool, _) = open(dir.path());
    assert_eq!(take_all(&spool, ARRIVED).await.len(), 1);
    assert!(spool.release(id, ARRIVED).await.unwrap());
    assert_eq!(spool.try_next(ARRIVED).await.unwrap().id, id);
    assert!(!spool.hold("1".parse::<QueueId>().unwrap()).await.unwrap());
}

#[tokio::test]
async fn an_outcome_can_hold_a_recipient() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    let held = job.settle(vec![(0, Outcome::Held { reason: "550 refused, and nobody to tell".into() })]);
    assert!(!held.finished);
    drop(job);
    let far = ARRIVED + 10 * 24 * 60 * MINUTE;
    assert!(spool.try_next(far).await.is_none());
    assert!(spool.show(id).await.unwrap().held);
    spool.release(id, far).await.unwrap();
    assert_eq!(spool.try_next(far).await.unwrap().due, [0]);
}

#[tokio::test]
async fn the_queue_in_numbers_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    for n in 0..25u64 {
        let mut envelope = envelope(&format!("{n}@b"), &["x@y"]);
        envelope.arrived_at_unix_micros = ARRIVED - n * 10 * MINUTE;
        envelope.message_octets = 100;
        if n < 5 {
            envelope.origin = Origin::Account(sender(Some("alice"), "auth"));
        } else if n < 8 {
            envelope.origin = Origin::Account(sender(None, "network"));
        }
        spool.incoming().commit(envelope, b"mail".to_vec()).await.unwrap();
    }
    let job = spool.next(ARRIVED).await.unwrap();
    let stats = spool.stats(ARRIVED);
    assert_eq!((stats.messages, stats.recipients, stats.active, stats.message_octets), (25, 25, 1, 2500));
    let expected = [("outside", 17), ("alice", 5), ("network", 3)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(stats.origins, expected);
    let ages: Vec<u64> = stats.ages.iter().map(|bucket| bucket.messages).collect();
    assert_eq!(ages, [1, 1, 5, 18, 0, 0, 0]);
    assert_eq!(stats.oldest_arrived_at_unix_micros, Some(ARRIVED - 240 * MINUTE));
    drop(job);
    let mut seen = 0;
    let mut filter = Filter { limit: 10, ..Filter::default() };
    loop {
        let page = spool.list(&filter).await;
        seen += page.len();
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id);
    }
    assert_eq!(seen, 25);
    let alice = Filter { account: Some("alice".into()), limit: 100, ..Filter::default() };
    assert_eq!(spool.list(&alice).await.len(), 5);
}

#[tokio::test]
async fn due_messages_come_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    for n in [3u64, 1, 2] {
        let mut envelope = envelope(&n.to_string(), &["x@y"]);
        envelope.arrived_at_unix_micros = ARRIVED + n;
        spool.incoming().commit(envelope, Vec::new()).await.unwrap();
    }
    let jobs = take_all(&spool, ARRIVED + 5).await;
    let names: Vec<_> = jobs.iter().map(|job| job.envelope.reverse_path.clone()).collect();
    assert_eq!(names, ["1", "2", "3"]);
}

#[tokio::test]
async fn segments_go_when_their_mail_is_settled_and_a_straggler_is_copied_forward() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let straggler = accept(&spool, "straggler@b", b"long deferred").await;
    let job = spool.next(ARRIVED).await.unwrap();
    job.settle(vec![(0, deferred("busy"))]);
    drop(job);
    for n in 0..400 {
        accept(&spool, "a@b", &octets(n, 4000)).await;
        let job = spool.next(ARRIVED).await.unwrap();
        job.settle(vec![(0, delivered())]);
    }
    // A durable change waits for the writer, which tidies in the same round as it writes.
    for _ in 0..3 {
        spool.hold(straggler).await.unwrap();
        spool.release(straggler, ARRIVED + MINUTE).await.unwrap();
    }
    let segments = std::fs::read_dir(dir.path().join("segments")).unwrap().count();
    assert!(segments <= 12, "{segments} segments of 64 KiB for one message (1.6 MB went through)");
    spool.close().await;
    drop(spool);
    let (spool, recovery) = open(dir.path());
    assert_eq!((recovery.messages, recovery.damaged.len()), (1, 0));
    let job = spool.next(ARRIVED + 60 * MINUTE).await.unwrap();
    assert_eq!((job.id, job.attempt, content(&job).await), (straggler, 2, b"long deferred".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_each_handed_out_once() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let spool = std::sync::Arc::clone(&spool);
            tokio::spawn(async move {
                let mut ids = Vec::new();
                while let Some(job) = spool.next(ARRIVED).await {
                    ids.push(job.id);
                    job.settle(vec![(0, delivered())]);
                }
                ids
            })
        })
        .collect();
    let givers: Vec<_> = (0..8u64)
        .map(|n| {
            let spool = std::sync::Arc::clone(&spool);
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for m in 0..100 {
                    ids.push(accept(&spool, "a@b", &octets(n, m * 30)).await);
                }
                ids
            })
        })
        .collect();
    let mut given = Vec::new();
    for giver in givers {
        given.extend(giver.await.unwrap());
    }
    while !spool.is_empty() {
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await.unwrap_err();
    }
    spool.close().await;
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.unwrap());
    }
    given.sort_unstable();
    taken.sort_unstable();
    assert_eq!(given, taken);
}

fn refused() -> Outcome {
    Outcome::Held { reason: "hop: 550 5.1.1 no such user".into() }
}

#[tokio::test]
async fn t49_a_held_recipient_stops_no_other_of_the_message() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = spool.incoming().commit(envelope("a@b", &["gone@y", "later@q"]), b"mail".to_vec()).await.unwrap();
    let job = spool.next(ARRIVED).await.unwrap();
    assert!(!job.settle(vec![(0, refused()), (1, deferred("greylisted"))]).finished);
    drop(job);
    let listed = spool.show(id).await.unwrap();
    let states: Vec<_> = listed.recipients.iter().map(|recipient| recipient.state).collect();
    assert_eq!((states, listed.held, listed.hold), (vec![RecipientState::Held, RecipientState::Waiting], true, None));
    spool.close().await;
    drop(spool);
    let (spool, _) = open(dir.path());
    let job = spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap();
    assert_eq!(job.due, [1], "the other is tried again, after a restart too");
    assert!(!job.settle(vec![(1, delivered())]).finished, "the first is kept");
    drop(job);
    assert!(spool.try_next(ARRIVED + 60 * MINUTE).await.is_none());
    assert!(spool.release(id, ARRIVED + 60 * MINUTE).await.unwrap());
    assert_eq!(spool.try_next(ARRIVED + 60 * MINUTE).await.unwrap().due, [0]);
}

/// Settles everything that is due as held.
async fn hold_all_due(spool: &Spool) {
    for job in take_all(spool, ARRIVED).await {
        job.settle(job.due.iter().map(|n| (*n, refused())).collect());
    }
}

#[tokio::test]
async fn t49_held_mail_is_bounded_for_each_destination_and_the_oldest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.held.messages_max = 3;
    let (spool, _) = Spool::open(config.clone()).unwrap();
    let mut crowd = Vec::new();
    let elsewhere = spool.incoming().commit(envelope("a@b", &["other@y"]), Vec::new()).await.unwrap();
    for n in 0..6 {
        crowd.push(accept(&spool, "a@b", &octets(n, 10_000)).await);
    }
    let kept = crowd[0];
    assert!(spool.hold(kept).await.unwrap());
    hold_all_due(&spool).await;
    let left = |spool: &Spool| spool.len();
    assert_eq!(left(&spool), 5, "one elsewhere, one that the operator holds, three of the crowd");
    for id in [elsewhere, kept, crowd[3], crowd[4], crowd[5]] {
        assert!(spool.show(id).await.is_some());
    }
    assert!(spool.show(crowd[1]).await.is_none() && spool.show(crowd[2]).await.is_none());
    spool.close().await;
    drop(spool);
    // The bound holds for what a start finds.
    config.held.messages_max = 2;
    let (spool, recovery) = Spool::open(config).unwrap();
    assert_eq!(recovery.messages, 5);
    assert!(spool.try_next(ARRIVED).await.is_none());
    assert_eq!(left(&spool), 4);
    assert!(spool.show(crowd[3]).await.is_none());
}

#[tokio::test]
async fn t49_what_a_person_or_a_rule_holds_is_never_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.held.age = Duration::ZERO;
    config.held.messages_max = 0;
    let (spool, _) = Spool::open(config.clone()).unwrap();
    let by_operator = accept(&spool, "a@b", b"mail").await;
    // Refused and then held by the operator, while the attempt is under way.
    let job = spool.next(ARRIVED).await.unwrap();
    assert!(!job.is_withdrawn());
    assert!(spool.hold(by_operator).await.unwrap());
    assert!(job.is_withdrawn());
    job.settle(vec![(0, refused())]);
    drop(job);
    let mut incoming = spool.incoming();
    incoming.hold("rule");
    let by_rule = incoming.commit(envelope("a@b", &["x@y"]), Vec::new()).await.unwrap();
    assert!(spool.try_next(ARRIVED).await.is_none());
    spool.close().await;
    drop(spool);
    let (spool, _) = Spool::open(config).unwrap();
    assert!(spool.try_next(ARRIVED).await.is_none());
    for (id, why) in [(by_operator, "operator"), (by_rule, "rule")] {
        assert_eq!(spool.show(id).await.unwrap().hold.as_deref(), Some(why));
    }
    // Released, it is a stranger's that cannot be delivered.
    assert!(spool.release(by_operator, ARRIVED).await.unwrap());
    hold_all_due(&spool).await;
    assert!(spool.show(by_operator).await.is_none());
}

#[tokio::test]
async fn t46_what_a_login_queued_is_held_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let post = async |by: Origin, name: &str| {
        let envelope = Envelope { origin: by, ..envelope(name, &["x@y"]) };
        spool.incoming().commit(envelope, b"mail".to_vec()).await.unwrap()
    };
    let account = |login, grant| Origin::Account(sender(login, grant));
    let by_auth = post(account(Some("alice"), "auth"), "a@b").await;
    let by_pop = post(account(Some("alice"), "pop"), "a@b").await;
    let bob = post(account(Some("bob"), "auth"), "b@b").await;
    // A right has the name of a login.
    let network = post(account(None, "alice"), "gone@b").await;
    let other = post(account(None, "alice"), "stays@b").await;
    assert_eq!(spool.hold_of_login("alice", "right-ended").await.unwrap(), 2);
    let gone = |envelope: &Envelope| envelope.reverse_path == "gone@b";
    assert_eq!(spool.hold_of_grant("alice", "right-ended", gone).await.unwrap(), 1);
    let due: Vec<QueueId> = take_all(&spool, ARRIVED).await.iter().map(|job| job.id).collect();
    assert_eq!(due, [bob, other]);
    for id in [by_auth, by_pop, network] {
        assert_eq!(spool.show(id).await.unwrap().hold.as_deref(), Some("right-ended"));
    }
    assert!(spool.release(by_pop, ARRIVED).await.unwrap());
    assert!(spool.delete(by_auth).await.unwrap());
    assert!(take_all(&spool, ARRIVED).await.iter().any(|job| job.id == by_pop));
}

const YEAR: u64 = 365 * 24 * 60 * MINUTE;

#[tokio::test]
async fn t56_what_a_clock_ahead_wrote_is_due_after_its_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let tried = accept(&spool, "a@b", b"tried").await;
    let job = spool.next(ARRIVED + YEAR).await.unwrap();
    assert!(!job.last_attempt, "a clock that jumps gives nothing up");
    assert!(!job.settle(vec![(0, deferred("busy"))]).finished);
    drop(job);
    let mut ahead = envelope("ahead@b", &["x@y"]);
    ahead.arrived_at_unix_micros = ARRIVED + YEAR;
    let untried = spool.incoming().commit(ahead, Vec::new()).await.unwrap();
    // The clock is right again.
    let job = spool.try_next(ARRIVED).await.unwrap();
    assert_eq!((job.id, job.last_attempt), (untried, false), "never tried: due at once");
    job.settle(vec![(0, delivered())]);
    drop(job);
    assert!(spool.try_next(ARRIVED + 4 * MINUTE).await.is_none(), "its wait is not over");
    spool.close().await;
    drop(spool);
    let (spool, _) = open(dir.path());
    let job = spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap();
    assert_eq!((job.id, job.attempt, job.last_attempt), (tried, 2, false));
}

#[tokio::test]
async fn t56_a_start_with_a_clock_ahead_reads_due_times_and_gives_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let mut long_ago = envelope("old@b", &["x@y"]);
    // As if the clock were a year ahead of what it was when the mail came.
    long_ago.arrived_at_unix_micros = ARRIVED - 2 * YEAR;
    let id = spool.incoming().commit(long_ago, Vec::new()).await.unwrap();
    spool.close().await;
    drop(spool);
    let (spool, _) = open(dir.path());
    let job = spool.try_next(ARRIVED).await.unwrap();
    assert_eq!((job.id, job.last_attempt), (id, false));
    job.settle(vec![(0, deferred("busy"))]);
    drop(job);
    spool.close().await;
    drop(spool);
    let (spool, _) = open(dir.path());
    assert!(spool.try_next(ARRIVED - YEAR).await.is_none(), "clamped to its wait from now");
    assert_eq!(spool.try_next(ARRIVED - YEAR + 6 * MINUTE).await.unwrap().id, id);
}

#[tokio::test]
async fn what_no_notice_could_be_sent_of_is_never_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.backoff.give_up_after = Duration::ZERO;
    let (spool, _) = Spool::open(config).unwrap();
    let id = accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    let kept = job.settle(vec![(0, Outcome::Kept { reason: "550 no".into() })]);
    assert!(job.last_attempt && !kept.finished && kept.expired.is_empty());
    drop(job);
    assert_eq!(spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap().id, id);
}

#[test]
fn settings_that_contradict_each_other_do_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.segment_octets = 1000;
    assert!(Spool::open(config).is_err());
}

#[tokio::test]
async fn what_strangers_have_waiting_has_a_share_for_each_destination() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small_config(dir.path());
    config.held.percent = 0;
    let (spool, _) = Spool::open(config).unwrap();
    let has_share = |name: &str| spool.has_share(&format!("maildir:{name}@example.test"));
    accept(&spool, "x@y", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    assert!(has_share("bob"), "not tried yet");
    job.settle(vec![(0, deferred("away"))]);
    assert!(!has_share("bob") && has_share("carol"));
    drop(job);
    let own =
        Envelope { origin: Origin::Account(sender(Some("a"), "auth")), ..envelope("a@b", &["carol@example.test"]) };
    let own = spool.incoming().commit(own, Vec::new()).await.unwrap();
    spool.next(ARRIVED).await.unwrap().settle(vec![(0, deferred("away"))]);
    assert!(has_share("carol"), "not a stranger's");
    spool.delete(own).await.unwrap();
    spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap().settle(vec![(0, delivered())]);
    assert!(has_share("bob") && spool.is_empty());
}

#[tokio::test]
async fn what_was_not_tried_counts_no_attempt_and_can_be_hastened() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = spool.incoming().commit(envelope("a@b", &["x@y", "p@q"]), Vec::new()).await.unwrap();
    let job = spool.next(ARRIVED).await.unwrap();
    let postponed = Outcome::Postponed { reason: "away".into(), after: Duration::from_mins(2) };
    job.settle(vec![(0, postponed), (1, deferred("busy"))]);
    drop(job);
    let listed = spool.show(id).await.unwrap();
    let seen: Vec<_> = listed.recipients.iter().map(|it| (it.attempts, it.reason.as_deref())).collect();
    assert_eq!(seen, [(0, Some("away")), (1, Some("busy"))]);
    assert!(spool.try_next(ARRIVED + MINUTE).await.is_none());
    assert_eq!(
        spool.hasten(&[(id, vec![1, 7]), (QueueId::from_str("0000000000z").unwrap(), vec![0])], ARRIVED + MINUTE),
        1
    );
    let job = spool.try_next(ARRIVED + MINUTE).await.unwrap();
    assert_eq!((job.due.clone(), job.attempt), (vec![1], 2));
    job.settle(vec![(1, delivered())]);
    drop(job);
    spool.hold(id).await.unwrap();
    spool.hasten(&[(id, vec![0])], ARRIVED);
    assert!(spool.try_next(ARRIVED + 9 * MINUTE).await.is_none(), "held it stays");
}

/// Whether there is room can be asked without anything that is held going for the question.
#[tokio::test]
async fn a_look_at_the_room_drops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    accept(&spool, "a@b", b"mail").await;
    let job = spool.next(ARRIVED).await.unwrap();
    job.settle(vec![(0, Outcome::Held { reason: "look".into() })]);
    spool.close().await;
    drop(spool);
    let (spool, _) = Spool::open(SpoolConfig { free_octets_min: u64::MAX, ..small_config(dir.path()) }).unwrap();
    let held = Filter { held: Some(true), limit: 10, ..Filter::default() };
    assert!(spool.has_room(0).is_ok(), "what is held could go");
    assert_eq!(spool.list(&held).await.len(), 1);
    assert!(spool.room(0).await.is_err());
    assert_eq!(spool.list(&held).await.len(), 0, "mail that comes has it go");
    assert!(spool.has_room(0).is_err());
}
