//! Nobody is deceived about who gets or sends mail: what is refused when it is made, what the log tells of a mail, what an
//! administrator did, and which device it was.

use std::process::Command;

use serde_json::Value;

use crate::support::{Demo, base64, message, run};

const STRANGER: &str = "x@stranger.example";

/// Runs a command that must fail with this exit code, and gives what it said.
fn refused(demo: &Demo, code: i32, arguments: &[&str]) -> String {
    let output = demo.sekisho(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn listed(demo: &Demo, arguments: &[&str]) -> Value {
    serde_json::from_str(&demo.ruled(arguments)).unwrap()
}

#[test]
fn an_alias_never_takes_mail_away_unseen() {
    let demo = Demo::start();
    let (alice, bob) = ("alice@example.test", "bob@example.test");
    let said = refused(&demo, 1, &["alias", "add", alice, bob]);
    assert!(said.contains("--keep-copy") && said.contains("would take its mail away"), "{said}");
    let said = refused(&demo, 1, &["alias", "delete", alice]);
    assert!(said.contains("is an address of the account alice@example.test"), "{said}");
    demo.ruled(&["alias", "add", "--keep-copy", alice, bob]);
    assert!(
        demo.ruled(&["user", "show", alice])
            .contains("alice@example.test leads to alice@example.test bob@example.test")
    );
    assert!(demo.dial("smtp").greeted().mail(STRANGER, alice, message(STRANGER, alice, "both")).starts_with("250"));
    for login in ["alice", "bob"] {
        demo.until("a copy each", || (demo.mailbox(login).len() == 1).then_some(()));
    }
    let told = demo.ruled(&["alias", "delete", alice]);
    assert!(told.contains("The alias alice@example.test is deleted"), "{told}");

    demo.ruled(&["alias", "add", "sales@example.test", "x@later.example"]);
    let said = refused(&demo, 1, &["user", "add", "--no-password", "sales@example.test"]);
    assert!(said.contains("is an alias that leads to x@later.example"), "{said}");
    for (targets, told) in [
        (["team2@example.test", "self@example.test"], "nobody has the address it leads to: self@example.test"),
        (["team2@example.test", "team2@example.test"], "it is a loop: team2@example.test > team2@example.test"),
    ] {
        let said = refused(&demo, 2, &["alias", "add", targets[0], targets[1]]);
        assert!(said.contains(told), "{said}");
    }
    let said = refused(&demo, 1, &["domain", "add", "--catch-all", "ghost@example.test", "example.test"]);
    assert!(said.contains("nobody has the address ghost@example.test"), "{said}");
    // What became a dead end all the same is refused for good, and the log names it.
    demo.ruled(&["domain", "add", "later.example"]);
    let answer = demo.dial("smtp").greeted().rcpt(STRANGER, "sales@example.test");
    assert!(answer.starts_with("550 5.3.5 <sales@example.test>: this address is configured wrongly here"), "{answer}");
    demo.logged(&["alias_broken", "address=sales@example.test", "x@later.example"]);
    demo.logged(&["refused", "reason=configuration-fault"]);
}

#[test]
fn the_log_tells_of_each_delivery_how_it_came_about() {
    let demo = Demo::start();
    let to = ["sales@example.test", "ALICE+news@Example.test"];
    demo.ruled(&["alias", "add", to[0], "bob@example.test", "friend@outside.example"]);
    let mut session = demo.under_tls("smtp");
    assert!(session.rcpt(STRANGER, to[0]).starts_with("250"));
    assert!(session.say(&format!("RCPT TO:<{}>", to[1])).starts_with("250"));
    assert!(session.data("Subject: x\r\nMessage-ID:\r\n <1@stranger.example>\r\n\r\nx\r\n").starts_with("250"));
    let accepted = demo.logged(&["accepted", "message_id=<1@stranger.example>"]);
    for word in [
        "to=<sales@example.test>,<ALICE+news@example.test>",
        "helo=client.example",
        "tls=TLSv1.3",
        "cipher=TLS13_",
        "recipients=2",
    ] {
        assert!(accepted.contains(word), "{word}: {accepted}");
    }
    for words in [
        ["to=<bob@example.test>", "orig_to=<sales@example.test>", "alias=<sales@example.test>"],
        ["to=<friend@outside.example>", "orig_to=<sales@example.test>", "alias=<sales@example.test>"],
        ["to=<alice@example.test>", "orig_to=<ALICE+news@example.test>", "reverse_path=<x@stranger.example>"],
    ] {
        let line = demo.logged(&[&["delivered"][..], &words].concat());
        assert_eq!(line.contains("alias="), words[2].starts_with("alias="), "{line}");
    }
}

#[test]
fn what_an_administrator_does_is_recorded() {
    let mut demo = Demo::start();
    let alice = "alice@example.test";
    demo.ruled(&["user", "lock", alice]);
    refused(&demo, 1, &["user", "lock", "nobody@example.test"]);
    demo.logged(&["admin_change", "change=\"account lock\"", "on=alice@example.test", "done=true", "uid="]);
    demo.logged(&["admin_change", "done=false", "no such account"]);
    assert!(demo.stop());
    // Without a server, by the command itself.
    demo.ruled(&["user", "unlock", alice]);
    let pid = std::process::id().to_string();
    let here = listed(&demo, &["log", "admin", "--json"]);
    demo.restart();
    let kept = listed(&demo, &["log", "admin", "--json", "--limit", "3", "--hours", "1"]);
    assert_eq!(kept, here);
    let told: Vec<String> =
        kept["changes"].as_array().unwrap().iter().map(|it| format!("{} {}", it["change"], it["done"])).collect();
    assert_eq!(told, ["\"account lock\" true", "\"account lock\" false", "\"account unlock\" true"]);
    let uid: u64 = run(Command::new("id").arg("-u")).trim().parse().unwrap();
    assert!(kept["changes"].as_array().unwrap().iter().all(|it| it["who"]["uid"] == uid), "{kept} {pid}");
    assert!(demo.ruled(&["log", "admin"]).contains("account unlock"));
}

#[test]
fn six_scanners_of_one_account_are_told_apart() {
    let mut demo = Demo::start();
    let alice = "alice@example.test";
    let devices: Vec<Value> = (0..6)
        .map(|number| {
            listed(&demo, &["user", "device", "add", alice, &format!("scanner{number}"), "--anywhere", "--json"])
        })
        .collect();
    for (number, device) in devices.iter().enumerate().skip(1) {
        let mut session = demo.under_tls("submission");
        let proof = format!("\0{}\0{}", device["login"].as_str().unwrap(), device["secret"].as_str().unwrap());
        assert!(session.say(&format!("AUTH PLAIN {}", base64(&proof))).starts_with("235"));
        let answer = session.mail(alice, "friend@outside.example", message(alice, "friend@outside.example", "scan"));
        assert!(answer.starts_with("250"), "{answer}");
        let name = format!("device=scanner{number}");
        demo.logged(&["login", &name, "account=alice@example.test"]);
        for event in ["relayed", "accepted"] {
            demo.logged(&[event, &name, "login=alice@example.test"]);
        }
        assert!(session.rcpt("bob@example.test", "friend@outside.example").starts_with("553"));
        demo.logged(&["refused", &name, "sender-not-yours"]);
    }
    // By POP, a grant names its device.
    let account = demo.account("alice");
    let mut pop = demo.dial("pop3s").start_tls(demo.certificate());
    pop.reply();
    assert!(pop.say(&format!("USER {}", account.device_login)).starts_with("+OK"));
    assert!(pop.say(&format!("PASS {}", account.device_secret)).starts_with("+OK"));
    demo.logged(&["pop_grant", "device=device"]);
    assert_eq!(listed(&demo, &["grant", "list", "--json"])[0]["device"], "device");
    let uses = |demo: &Demo| -> Vec<(String, bool)> {
        let listed = listed(demo, &["user", "device", "list", alice, "--json"]);
        let one = |it: &Value| (it["name"].as_str().unwrap().to_owned(), it["last_used_at"].is_string());
        listed.as_array().unwrap().iter().map(one).collect()
    };
    let before = uses(&demo);
    assert_eq!(before.iter().filter(|(_, used)| *used).count(), 6, "{before:?}");
    assert!(before.contains(&("scanner0".to_owned(), false)));
    drop(pop);
    assert!(demo.stop());
    assert_eq!(uses(&demo), before, "known after the end");
}
