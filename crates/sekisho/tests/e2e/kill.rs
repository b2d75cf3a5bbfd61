//! kill -9 at any instant under load: every message acknowledged with 250 is there afterwards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Demo, Dialogue};

/// Connections that send at the same time.
const SENDERS: usize = 8;

/// Messages of one of them in one round: then only deliveries run, which are killed too, and the queue does not grow
/// from round to round.
const MESSAGES_EACH: usize = 16;

fn rounds() -> u64 {
    std::env::var("SEKISHO_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

/// Sends until the server dies; notes each subject that was acknowledged.
fn send_until_dead(port: u16, next: &AtomicU64, acknowledged: &Mutex<Vec<u64>>, stop: &AtomicBool) {
    // Under a heavy load of the machine the server may be dead before this one came to talk.
    let Ok(mut smtp) = Dialogue::try_connect([127, 0, 0, 1].into(), port) else { return };
    smtp.patience(Duration::from_secs(5));
    if !smtp.reply().starts_with("220") || !smtp.say("EHLO load.example").starts_with("250") {
        return;
    }
    for _ in 0..MESSAGES_EACH {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        // Some are larger than what goes into a segment, so both ways to the disk are killed.
        let padding = "x".repeat(70).repeat(if number.is_multiple_of(16) { 2000 } else { 40 });
        let padding =
            padding.as_bytes().chunks(70).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join("\r\n");
        smtp.send("MAIL FROM:<load@load.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n");
        if !(0..3).all(|_| matches!(smtp.reply().as_bytes().first(), Some(b'2' | b'3'))) {
            return;
        }
        smtp.send(format!("Subject: number {number} end\r\n\r\n{padding}\r\n.\r\n"));
        if !smtp.reply().starts_with("250") {
            return;
        }
        acknowledged.lock().unwrap().push(number);
    }
}

fn subject_numbers(mails: &[String]) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    for mail in mails {
        let Some(rest) = mail.split("Subject: number ").nth(1) else { continue };
        let number = rest.split(" end").next().unwrap().parse().unwrap();
        assert!(mail.trim_end().ends_with('x'), "message {number} is not whole");
        *counts.entry(number).or_insert(0) += 1;
    }
    counts
}

#[test]
fn t37_kill_9_under_load_loses_nothing() {
    // Small segments, so that the kill also falls into their beginning, end and recycling.
    let mut demo = Demo::start_with(&["spool.segment_octets=1048576"]);
    let (next, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let rounds = rounds();
    let mut restarts = Vec::new();
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let port = demo.port("smtp");
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (next, acknowledged, stop) = (Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&stop));
                std::thread::spawn(move || send_until_dead(port, &next, &acknowledged, &stop))
            })
            .collect();
        // The instant differs from round to round, from just started to well under way.
        std::thread::sleep(Duration::from_millis(20 + (round * 37) % 160));
        demo.kill_9();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
        let begun = Instant::now();
        demo.restart();
        restarts.push(begun.elapsed());
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > usize::try_from(rounds).unwrap() * 5, "the load was no load: {}", acknowledged.len());
    demo.until_drained();
    let found = subject_numbers(&demo.mailbox("alice"));
    let lost: Vec<_> = acknowledged.iter().filter(|n| !found.contains_key(n)).collect();
    assert!(lost.is_empty(), "{} acknowledged messages are lost: {lost:?}", lost.len());
    let thrice: Vec<_> = found.iter().filter(|(_, count)| **count > 2).collect();
    assert!(thrice.is_empty(), "more than twice: {thrice:?}");
    let twice = found.values().filter(|count| **count == 2).count();
    println!("{rounds} rounds, {} acknowledged, {} found, {twice} of them twice", acknowledged.len(), found.len());
    restarts.sort_unstable();
    println!("restarts: middle {:?}, longest {:?}", restarts[restarts.len() / 2], restarts[restarts.len() - 1]);
}
