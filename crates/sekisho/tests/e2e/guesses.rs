//! Guesses at passwords, made at once over many connections, broken off, or under another form of the name.

use std::net::Ipv4Addr;

use crate::support::{Account, Demo, Dialogue, base64};

const OUTSIDE: &str = "friend@outside.example";
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 20, 20);

fn pop3(demo: &Demo, from: Ipv4Addr) -> Dialogue {
    let mut pop = Dialogue::connect(from, demo.port("pop3"));
    assert!(pop.reply().starts_with("+OK"));
    pop
}

fn pop_login(demo: &Demo, from: Ipv4Addr, who: &Who<'_>) -> String {
    let mut pop = pop3(demo, from);
    pop.say(&format!("USER {}", who.login));
    pop.say(&format!("PASS {}", who.password))
}

struct Who<'a> {
    login: &'a str,
    password: &'a str,
}

fn owner(account: &Account) -> Who<'_> {
    Who { login: &account.login, password: &account.password }
}

/// As many guesses at once as there are connections, all in the same instant; how many were looked at.
fn burst(lines: &mut [Dialogue], guess: impl Fn(usize) -> String, is_looked_at: impl Fn(&str) -> bool) -> usize {
    for (number, line) in lines.iter_mut().enumerate() {
        line.send(format!("{}\r\n", guess(number)));
    }
    lines.iter_mut().map(|line| is_looked_at(&line.reply())).filter(|is| *is).count()
}

fn stranger(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 60, u8::try_from(number + 1).unwrap())
}

#[test]
fn t48_guesses_made_at_once_over_many_connections_are_as_many_as_one_after_the_other() {
    let settings = ["listener.pop3.auth=\"always\"", "listener.smtp.auth=\"always\"", "auth.failure_delay_ms=0"];
    let limits = ["auth.failures_per_client=5", "auth.failures_per_account=8"];
    let mut demo = Demo::start_with(&[&settings[..], &limits].concat());
    let (alice, bob, carol) = (demo.account("alice"), demo.account("bob"), demo.account("carol"));
    assert!(pop_login(&demo, HOME, &owner(&alice)).starts_with("+OK"));
    let is_wrong = |answer: &str| answer.contains("[AUTH]");
    // One client, over both protocols.
    let here = Ipv4Addr::new(127, 0, 5, 5);
    let mut lines: Vec<Dialogue> = (0..40).map(|_| pop3(&demo, here)).collect();
    for line in &mut lines {
        assert!(line.say(&format!("USER {}", bob.login)).starts_with("+OK"));
    }
    assert_eq!(burst(&mut lines, |n| format!("PASS guess {n}"), is_wrong), 5);
    let here = Ipv4Addr::new(127, 0, 5, 6);
    let mut lines: Vec<Dialogue> = (0..40).map(|_| Dialogue::connect(here, demo.port("smtp")).greeted()).collect();
    let plain = |n: usize| format!("AUTH PLAIN {}", base64(&format!("\0{}\0guess {n}", carol.login)));
    assert_eq!(burst(&mut lines, plain, |answer| answer.starts_with("535")), 5);
    // One account, from everywhere, under both forms of its name; its owner is at home.
    let mut lines: Vec<Dialogue> = (0..60).map(|n| pop3(&demo, stranger(n))).collect();
    for (number, line) in lines.iter_mut().enumerate() {
        line.say(if number % 2 == 0 { "USER alice" } else { "USER Alice@Example.Test" });
    }
    assert_eq!(burst(&mut lines, |n| format!("PASS guess {n}"), is_wrong), 8);
    assert!(pop_login(&demo, HOME, &owner(&alice)).starts_with("+OK"));
    assert!(pop_login(&demo, stranger(100), &owner(&alice)).contains("LOGIN-DELAY"), "not from a new network");
    // The owner's network is known after a restart; what failed is not.
    assert!(demo.stop());
    demo.restart();
    let mut lines: Vec<Dialogue> = (0..20).map(|n| pop3(&demo, stranger(n))).collect();
    for line in &mut lines {
        assert!(line.say("USER alice").starts_with("+OK"));
    }
    assert_eq!(burst(&mut lines, |n| format!("PASS again {n}"), is_wrong), 8);
    assert!(pop_login(&demo, HOME, &owner(&alice)).starts_with("+OK"));
}

/// What SCRAM shows for a login, behind the nonces: salt and iterations. `None`: nothing is shown.
fn salt(smtp: &mut Dialogue, login: &str) -> Option<String> {
    let answer = smtp.say(&format!("AUTH SCRAM-SHA-256 {}", base64(&format!("n,,n={login},r=abcdefghijk"))));
    let challenge = answer.strip_prefix("334 ")?;
    assert!(smtp.say("*").starts_with("501"));
    Some(challenge[64..].to_owned())
}

#[test]
fn t52_scram_shows_the_same_for_a_short_and_a_full_name_and_each_time_counts() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=0", "auth.failures_per_client=9"]);
    let submission = || demo.dial("submission").greeted();
    for name in ["alice", "nobody", "nobody2"] {
        let full = format!("{name}@example.test");
        let shown: Vec<String> =
            [name, &full, &name.to_uppercase()].map(|login| salt(&mut submission(), login).unwrap()).to_vec();
        assert!(shown.windows(2).all(|pair| pair[0] == pair[1]), "{shown:?}");
    }
    // Nine were broken off.
    assert_eq!(salt(&mut submission(), "bob"), None);
    let bob = demo.account("bob");
    let answer = demo.under_tls("submission").say(&format!("AUTH PLAIN {}", base64(&format!("\0{}\0x", bob.login))));
    assert!(answer.starts_with("454"), "{answer}");
}

/// A device is revoked by any form of its name, and so is what it has earned.
#[test]
fn a_device_revoked_by_a_short_name_relays_no_more() {
    let demo = Demo::start_with(&["listener.pop3.auth=\"always\""]);
    let forms: [fn(&str) -> String; 3] =
        [str::to_owned, |login| login.split('@').next().unwrap().to_owned(), str::to_uppercase];
    for (number, (form, name)) in forms.into_iter().zip(["alice", "bob", "carol"]).enumerate() {
        let (account, from) = (demo.account(name), Ipv4Addr::new(127, 0, 2, u8::try_from(number + 1).unwrap()));
        let device = Who { login: &account.device_login, password: &account.device_secret };
        assert!(pop_login(&demo, from, &device).starts_with("+OK"));
        let relays = || {
            let mut smtp = Dialogue::connect(from, demo.port("smtp")).greeted();
            smtp.rcpt(&account.address, OUTSIDE)
        };
        assert!(relays().starts_with("250"), "{name}");
        demo.ruled(&["user", "device", "revoke", &form(&account.device_login)]);
        assert!(relays().starts_with("550"), "{name}");
        assert!(pop_login(&demo, from, &device).starts_with("-ERR"), "{name}");
    }
}
