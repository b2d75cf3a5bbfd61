//! The state engine ends under load: what it alone can say is unknown then, and an unknown right is none.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sekisho::demo;
use serve::Server;

use crate::support::{Dialogue, PATIENCE, free_ports, maildir, run};

const OUTSIDE: &str = "friend@outside.example";
const SENDERS: usize = 6;

/// What the senders saw, before and after the engine ended.
#[derive(Default)]
struct Seen {
    relayed: AtomicUsize,
    local: AtomicUsize,
    unavailable: AtomicUsize,
}

/// One client of the address that has the grant: a foreign recipient, a local one, and so on.
fn send(port: u16, (ended, stop): (&AtomicBool, &AtomicBool), (before, after): (&Seen, &Seen)) {
    let mut smtp = Dialogue::connect(Ipv4Addr::LOCALHOST, port).greeted();
    while !stop.load(Ordering::SeqCst) {
        // Taken before the command: a command that began earlier may end either way.
        let was_ended = ended.load(Ordering::SeqCst);
        let seen = if was_ended { after } else { before };
        let foreign = smtp.mail("alice@example.test", OUTSIDE, "Subject: relayed\r\n\r\nx\r\n");
        match foreign.get(..3) {
            Some("250") => seen.relayed.fetch_add(1, Ordering::SeqCst),
            Some("451") if foreign.starts_with("451 4.3.0") => seen.unavailable.fetch_add(1, Ordering::SeqCst),
            _ => panic!("{foreign}"),
        };
        let local = smtp.mail("x@stranger.example", "bob@example.test", "Subject: local\r\n\r\nx\r\n");
        assert!(local.starts_with("250"), "local mail goes on: {local}");
        seen.local.fetch_add(1, Ordering::SeqCst);
    }
    smtp.say("QUIT");
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn pop_login(facts: &serde_json::Value) {
    let script =
        "import poplib,sys; p=poplib.POP3('127.0.0.1',int(sys.argv[1])); p.apop(sys.argv[2],sys.argv[3]); p.quit()";
    let device = &facts["accounts"][0]["device"];
    let port = facts["ports"]["pop3"].to_string();
    let (login, secret) = (device["login"].as_str().unwrap(), device["secret"].as_str().unwrap());
    run(Command::new("python3").args(["-c", script, &port, login, secret]));
}

#[test]
fn stopping_the_state_engine_under_load_relays_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = demo::Options {
        dir: Some(dir.path().to_owned()),
        sets: vec!["relay.pop.messages_per_hour=1000000".into(), "relay.pop.recipients_per_hour=1000000".into()],
        port_base: Some(free_ports()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, demo) = runtime.block_on(async {
        let demo = demo::Demo::prepare(&options).await.unwrap();
        (Server::start(demo.loaded().settings.clone()).await.unwrap(), demo)
    });
    demo.announce().unwrap();
    let facts = std::fs::read_to_string(dir.path().join("demo.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let port = options.port_base.unwrap();
    let sink = dir.path().join("sink");
    pop_login(&facts);
    let shared: Arc<(AtomicBool, AtomicBool, Seen, Seen)> = Arc::default();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || send(port, (&shared.0, &shared.1), (&shared.2, &shared.3)))
        })
        .collect();
    let (ended, stop, before, after) = (&shared.0, &shared.1, &shared.2, &shared.3);
    wait("mail relayed under load", || before.relayed.load(Ordering::SeqCst) >= 100);
    server.border().sources.state.close();
    ended.store(true, Ordering::SeqCst);
    wait("the load to go on", || after.unavailable.load(Ordering::SeqCst) >= 100);
    stop.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(after.relayed.load(Ordering::SeqCst), 0, "relayed without a right that anybody knows");
    assert!(after.local.load(Ordering::SeqCst) >= 90, "local mail went on");
    let relayed = before.relayed.load(Ordering::SeqCst);
    let local = before.local.load(Ordering::SeqCst) + after.local.load(Ordering::SeqCst);
    // All that was acknowledged arrives, and nothing else.
    let bob = dir.path().join("mail/example.test/bob");
    wait("what was acknowledged", || maildir(&sink).len() == relayed && maildir(&bob).len() == local);
    // Nor does a new login help, nor one that proves itself by AUTH take harm: that asks the accounts, not the engine.
    pop_login(&facts);
    let answer = Dialogue::connect(Ipv4Addr::LOCALHOST, port).greeted().rcpt("alice@example.test", OUTSIDE);
    assert!(answer.starts_with("451 4.3.0"), "{answer}");
    runtime.block_on(server.stop());
    assert_eq!(maildir(&sink).len(), relayed);
}
