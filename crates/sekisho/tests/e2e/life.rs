//! The server's life: start, reload, quota, and every command that a demo prints.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Demo, PATIENCE, free_ports, run};

const OUTSIDE: &str = "friend@outside.example";
const STRANGER: &str = "x@stranger.example";

fn config_file(demo: &Demo) -> String {
    demo.facts["config"].as_str().unwrap().to_owned()
}

/// Writes the configuration anew with one text in place of another.
fn change(demo: &Demo, from: &str, to: &str) {
    let file = config_file(demo);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

#[test]
fn a_bad_configuration_is_refused_whole_and_the_old_one_stays() {
    let demo = Demo::start();
    let before = fs::read_to_string(config_file(&demo)).unwrap();
    let mut held = demo.dial("smtp").greeted();
    change(&demo, "[relay.pop]", "[relay]\nnetworks = [\"127.0.0.1\", \"0.0.0.0/0\"]\n\n[relay.pop]");
    let line =
        1 + fs::read_to_string(config_file(&demo)).unwrap().lines().position(|it| it.contains("0.0.0.0/0")).unwrap();
    let place = format!("sekisho.toml:{line}:26");
    let refused = demo.sekisho(&["reload"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&place), "{said}");
    // The same by signal: the log says it, and nothing else happens.
    run(Command::new("kill").args(["-HUP", &demo.pid().to_string()]));
    demo.logged(&["error", "reload_failed", &place]);
    for smtp in [&mut held, &mut demo.dial("smtp").greeted()] {
        let answer = smtp.rcpt(STRANGER, OUTSIDE);
        assert!(answer.starts_with("550"), "not even the good half of it is in force: {answer}");
    }
    // A key that nobody knows, a text that is no TOML.
    for (wrong, place) in [("hopps = 1\n", "sekisho.toml:"), ("hostname = \n", "sekisho.toml:")] {
        fs::write(config_file(&demo), format!("{before}\n[limits]\n{wrong}")).unwrap();
        let refused = demo.sekisho(&["reload"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(place), "{said}");
    }
    fs::write(config_file(&demo), before).unwrap();
    demo.ruled(&["reload"]);
}

#[test]
fn a_reload_moves_a_listener_and_drops_no_session() {
    let demo = Demo::start();
    let (old, new) = (demo.port("smtp"), free_ports());
    let mut held = demo.dial("smtp").greeted();
    assert!(held.rcpt(STRANGER, "alice@example.test").starts_with("250"));
    change(&demo, &format!("127.0.0.1:{old}\""), &format!("127.0.0.1:{new}\""));
    change(&demo, "[relay.pop]", "[relay]\nnetworks = [\"127.0.0.1\"]\n\n[relay.pop]");
    run(Command::new("kill").args(["-HUP", &demo.pid().to_string()]));
    demo.logged(&["reloaded"]);
    demo.until("the old port closed", || TcpStream::connect(("127.0.0.1", old)).is_err().then_some(()));
    // The new one serves by the new configuration.
    let mut fresh = crate::support::Dialogue::connect([127, 0, 0, 1].into(), new).greeted();
    assert!(fresh.rcpt(STRANGER, OUTSIDE).starts_with("250"));
    // The session that was there goes on, and may what the configuration in force says.
    assert!(held.say("DATA").starts_with("354"));
    assert!(held.say("Subject: held\r\n\r\nx\r\n.").starts_with("250"));
    assert!(held.rcpt(STRANGER, OUTSIDE).starts_with("250"));
    assert!(held.say("QUIT").starts_with("221"));
    demo.until("its mail", || demo.mailbox("alice").iter().any(|mail| mail.contains("Subject: held")).then_some(()));
}

#[test]
fn the_end_is_in_order() {
    let mut demo = Demo::start();
    let mut held = demo.dial("smtp").greeted();
    held.patience(PATIENCE);
    let running = std::time::Instant::now();
    assert!(demo.stop(), "exit 0 at SIGTERM");
    assert!(running.elapsed() < Duration::from_secs(9), "an idle session does not hold it up");
    let last = held.rest();
    assert!(last.is_empty() || last.starts_with("421 4.3.2"), "{last}");
    demo.restart();
    assert!(demo.dial("smtp").greeted().rcpt(STRANGER, "alice@example.test").starts_with("250"));
}

#[test]
fn an_over_quota_mailbox_is_refused_before_the_data() {
    let demo = Demo::start();
    let mut add = Command::new("sh");
    let sekisho = format!("{} -c {}", env!("CARGO_BIN_EXE_sekisho"), config_file(&demo));
    run(add.args(["-c", &format!("{sekisho} user add dora@example.test --quota 20000 --no-password")]));
    demo.ruled(&["alias", "add", "both@example.test", "dora@example.test", "alice@example.test"]);
    demo.ruled(&["alias", "add", "only@example.test", "dora@example.test"]);
    let mut smtp = demo.dial("smtp").greeted();
    let body = |lines| format!("Subject: filling\r\n\r\n{}", "0123456789abcdef0123456789abcdef\r\n".repeat(lines));
    assert!(smtp.mail(STRANGER, "dora@example.test", body(300)).starts_with("250"));
    demo.until_drained();
    // What the client says of the size is enough to refuse it.
    smtp.say("RSET");
    smtp.say(&format!("MAIL FROM:<{STRANGER}> SIZE=15000"));
    let answer = smtp.say("RCPT TO:<dora@example.test>");
    assert!(answer.starts_with("552 5.2.2"), "{answer}");
    assert!(smtp.say("RCPT TO:<alice@example.test>").starts_with("250"), "nobody else suffers by it");
    let small = smtp.mail(STRANGER, "dora@example.test", body(260));
    assert!(small.starts_with("250"), "{small}");
    demo.until_drained();
    for to in ["dora@example.test", "only@example.test", "Dora+detail@example.test"] {
        smtp.say("RSET");
        smtp.say(&format!("MAIL FROM:<{STRANGER}> SIZE=2000"));
        let answer = smtp.say(&format!("RCPT TO:<{to}>"));
        assert!(answer.starts_with("552 5.2.2"), "{to}: {answer}");
    }
    demo.logged(&["reason=mailbox-full"]);
    assert!(smtp.rcpt(STRANGER, "both@example.test").starts_with("250"), "a list is not closed by one of its members");
    // All copies of one mail count together, by whatever name they come; with a size at RCPT, else when the mail is there.
    run(Command::new("sh").args(["-c", &format!("{sekisho} user add emil@example.test --quota 20000 --no-password")]));
    demo.ruled(&["alias", "add", "his@example.test", "emil@example.test"]);
    smtp.say("RSET");
    smtp.say(&format!("MAIL FROM:<{STRANGER}> SIZE=12000"));
    assert!(smtp.say("RCPT TO:<emil@example.test>").starts_with("250"));
    for to in ["emil@example.test", "his@example.test"] {
        assert!(smtp.say(&format!("RCPT TO:<{to}>")).starts_with("552 5.2.2"), "{to}");
    }
    let mut to_two = |lines, to: &str| {
        smtp.say("RSET");
        smtp.say(&format!("MAIL FROM:<{STRANGER}>"));
        assert!(smtp.say("RCPT TO:<emil@example.test>").starts_with("250"));
        assert!(smtp.say(&format!("RCPT TO:<{to}>")).starts_with("250"), "{to}");
        assert!(smtp.say("DATA").starts_with("354"));
        smtp.say(&format!("{}.", body(lines)))
    };
    for to in ["his@example.test", "emil+x@example.test"] {
        let answer = to_two(400, to);
        assert!(answer.starts_with("552 5.2.2"), "{to}: {answer}");
    }
    assert!(to_two(400, "alice@example.test").starts_with("250"));
}

/// Paste them one after the other, as the demo tells.
#[test]
fn every_command_that_the_demo_prints_works() {
    let demo = Demo::start();
    let printed = demo.log();
    let commands: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("  $ ")).collect();
    assert!(commands.len() >= 10, "{printed}");
    let mut said = Vec::new();
    for command in &commands {
        // The mail of one command is what the next one looks at: a person is slower than the delivery, this is not.
        demo.until_drained();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}\n{text}{}", String::from_utf8_lossy(&output.stderr));
        said.push((*command, text));
    }
    let of =
        |part: &str| said.iter().find(|(command, _)| command.contains(part)).map(|(_, text)| text.clone()).unwrap();
    assert!(of("/1 --ssl-reqd").contains("Hello from the demo."), "{said:?}");
    assert!(of("|| echo").contains("refused, as it should be"), "{said:?}");
    assert_eq!(of("ls ").lines().count(), 2, "{said:?}");
    assert!(of("grant list").contains("127.0.0.1"), "{said:?}");
    assert!(of("user list").contains("alice@example.test"), "{said:?}");
    assert!(of("config show").contains("hostname"), "{said:?}");
}

#[test]
fn what_a_killed_server_left_in_a_mailbox_is_swept_after_the_next_start() {
    let mut demo = Demo::start();
    let tmp = demo.maildir_of("alice").join("tmp");
    demo.kill_9();
    for (name, hours) in [("stale", 37), ("fresh", 35)] {
        let file = fs::File::create(tmp.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    }
    demo.restart();
    let began = Instant::now();
    while tmp.join("stale").exists() {
        assert!(began.elapsed() < PATIENCE, "{}", demo.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(tmp.join("fresh").exists());
}
