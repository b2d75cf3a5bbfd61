//! Final delivery: Maildirs, quota, the sink of `demo`.

mod common;

use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{PATIENCE, Station, account, envelope, remote};
use delivery::{FateKind, OverQuota, RemoteRoute};
use spool::{Origin, Target};

const MESSAGE: &str = "Subject: x\r\n\r\nbody\r\n";

fn local(address: &str) -> Target {
    Target::Maildir { account: address.to_owned() }
}

#[tokio::test]
async fn trace_headers_stand_first() {
    let mut station = Station::start(|dir| RemoteRoute::Sink(dir.join("sink")), |_| {});
    station.post(envelope(Origin::Outside, &["alice@example.test"], local), MESSAGE).await;
    assert_eq!(station.fate().await.kind, FateKind::Delivered);
    let expected = "Return-Path: <alice@example.test>\nDelivered-To: alice@example.test\nSubject: x\n\nbody\n";
    assert_eq!(station.mailbox("alice"), [expected]);
}

#[tokio::test]
async fn a_full_or_missing_mailbox() {
    for (over_quota, kind) in [(OverQuota::Fail, FateKind::Held), (OverQuota::Wait, FateKind::Deferred)] {
        let mut station =
            Station::start(|dir| RemoteRoute::Sink(dir.join("sink")), |config| config.over_quota = over_quota);
        station.post(envelope(Origin::Outside, &["full@example.test"], local), MESSAGE).await;
        let fate = station.fate().await;
        assert_eq!(fate.kind, kind);
        assert!(fate.reply.contains(".2.2 the mailbox is full"), "{fate:?}");
        station.post(envelope(Origin::Outside, &["gone@example.test"], local), MESSAGE).await;
        assert_eq!(station.fate().await.kind, FateKind::Held);
    }
}

#[tokio::test]
async fn the_sink_takes_all_remote_mail() {
    let mut station = Station::start(|dir| RemoteRoute::Sink(dir.join("sink")), |_| {});
    station.post(remote(account(), &["a@one.example", "b@two.example"]), MESSAGE).await;
    station.fates(2).await;
    assert_eq!(station.mailbox("sink").len(), 2);
}

#[tokio::test]
async fn a_success_is_told_when_it_was_asked_for() {
    let mut station = Station::start(|dir| RemoteRoute::Sink(dir.join("sink")), |_| {});
    let mut asked = envelope(account(), &["alice@example.test"], local);
    asked.recipients[0].notify = delivery::dsn::notify::SUCCESS;
    station.post(asked, MESSAGE).await;
    station.fates(2).await;
    let all = station.mailbox("alice");
    assert!(all.len() == 2 && all.concat().contains("Action: delivered\n"), "{all:?}");
}

#[tokio::test]
async fn many_in_batches() {
    let mut station = Station::start(|dir| RemoteRoute::Sink(dir.join("sink")), |_| {});
    for _ in 0..500 {
        station.post(envelope(Origin::Outside, &["alice@example.test"], local), MESSAGE).await;
    }
    assert!(station.fates(500).await.iter().all(|fate| fate.kind == FateKind::Delivered));
    station.delivery.shutdown(Duration::from_secs(5)).await;
    let new = std::fs::read_dir(station.dir.path().join("alice/new")).unwrap().count();
    assert_eq!((new, station.spool.stats(common::micros_ago(Duration::ZERO)).messages), (500, 0));
}

#[tokio::test]
async fn what_a_killed_delivery_left_is_swept_after_the_start() {
    const TMP: &str = "mail/example.test/bob/tmp";
    let left = |dir: &Path| {
        maildir::create(dir.join(TMP).parent().unwrap()).unwrap();
        for (name, hours) in [("stale", 37), ("fresh", 35)] {
            let file = std::fs::File::create(dir.join(TMP).join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
        }
        RemoteRoute::Sink(dir.join("sink"))
    };
    let station = Station::start(left, |_| {});
    let tmp = station.dir.path().join(TMP);
    let gone = async {
        while tmp.join("stale").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("swept in time");
    station.delivery.shutdown(Duration::from_secs(5)).await;
    assert!(tmp.join("fresh").exists());
}
