//! A stranger tries every relay probe; the outside sink must stay empty.
//!
//! `crates/probe/data/relay-probes.json` says what each field means.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Demo, Dialogue, base64, maildir, run};

const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

struct Prober<'a> {
    demo: &'a Demo,
    findings: Vec<String>,
    sent: BTreeSet<String>,
}

fn fill(text: &str) -> String {
    let mut filled = text.to_owned();
    let values = [
        ("{target_domain_upper}", "TARGET.EXAMPLE"),
        ("{target_domain_fwdot}", "target\u{3002}example"),
        ("{local_domain_shy}", "e\u{ad}xample.test"),
        ("{target_user}", "relaytest"),
        ("{target_domain}", "target.example"),
        ("{target_ip_int}", "3221225985"),
        ("{target_ip_hex}", "0xc0000219"),
        ("{target_ip}", "192.0.2.25"),
        ("{local_user}", "alice"),
        ("{local_domain}", "example.test"),
        ("{local_host}", "mail.example.test"),
        ("{local_ip}", "127.0.0.1"),
        ("{helo}", "prober.example"),
        ("{{", "{"),
        ("}}", "}"),
    ];
    while let Some(start) = filled.find("{rep:") {
        let end = start + filled[start..].find('}').unwrap();
        let (what, count) = filled[start + 5..end].rsplit_once(':').unwrap();
        let repeated = what.repeat(count.parse().unwrap());
        filled.replace_range(start..=end, &repeated);
    }
    for (name, value) in values {
        filled = filled.replace(name, value);
    }
    filled
}

fn bytes(text: &str, charset: &str) -> Vec<u8> {
    let filled = fill(text);
    match charset {
        "latin-1" => filled.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        _ => filled.into_bytes(),
    }
}

fn positive(reply: &str) -> bool {
    reply.starts_with('2') || reply.starts_with('3')
}

impl Prober<'_> {
    fn dial(&self) -> Dialogue {
        Dialogue::connect(STRANGER, self.demo.port("smtp"))
    }

    /// Goes on to DATA, so that what was wrongly accepted would arrive in the sink.
    fn finish(&mut self, id: &str, dialogue: &mut Dialogue) {
        if dialogue.say("DATA").starts_with("354") {
            dialogue.send(format!("Subject: probe {id}\r\nX-Probe: {id}\r\n\r\nrelay probe\r\n.\r\n"));
            dialogue.reply();
            self.sent.insert(id.to_owned());
        }
        dialogue.send("QUIT\r\n");
    }

    fn envelope(&mut self, probe: &Value) {
        let id = probe["id"].as_str().unwrap();
        let charset = probe["charset"].as_str().unwrap_or("utf-8");
        let mut dialogue = self.dial();
        dialogue.reply();
        dialogue.say("EHLO prober.example");
        for (command, field) in [("MAIL FROM:", "mail_from"), ("RCPT TO:", "rcpt_to")] {
            dialogue.send(command);
            dialogue.send(bytes(probe[field].as_str().unwrap(), charset));
            dialogue.send("\r\n");
            let reply = dialogue.reply();
            let local_ok = probe["local_ok"].as_bool().unwrap();
            if command == "RCPT TO:" && positive(&reply) && !local_ok {
                self.findings.push(format!("{id}: RCPT was answered {reply}"));
            }
            if !positive(&reply) {
                break;
            }
        }
        self.finish(id, &mut dialogue);
    }

    fn dialogue(&mut self, probe: &Value) {
        let id = probe["id"].as_str().unwrap();
        let charset = probe["charset"].as_str().unwrap_or("utf-8");
        let steps = probe["steps"].as_array().unwrap();
        let mut dialogue = self.dial();
        if steps[0]["prebanner"].as_bool() != Some(true) {
            dialogue.reply();
        }
        let mut last = String::new();
        for step in steps {
            if step["if"].as_u64().is_some_and(|code| !last.starts_with(&code.to_string())) {
                continue;
            }
            if step["auth"].as_bool() == Some(true) {
                self.authenticate();
            } else if step["reconnect"].as_bool() == Some(true) {
                dialogue = self.dial();
                dialogue.reply();
            } else if step["tls"].as_bool() == Some(true) {
                dialogue = dialogue.start_tls(self.demo.certificate());
            } else {
                dialogue.send(bytes(step["send"].as_str().unwrap(), charset));
                last = self.judge(id, step, &mut dialogue);
            }
        }
        self.finish(id, &mut dialogue);
    }

    /// Reads the replies of a step and checks the one that is marked.
    fn judge(&mut self, id: &str, step: &Value, dialogue: &mut Dialogue) -> String {
        let mut replies = Vec::new();
        if step["replies"] == "all" {
            dialogue.patience(Duration::from_millis(700));
            loop {
                let reply = dialogue.reply();
                if reply.is_empty() {
                    break;
                }
                replies.push(reply);
            }
            dialogue.patience(crate::support::PATIENCE);
        } else {
            let count = step["replies"].as_u64().unwrap_or(1);
            replies.extend((0..count).map(|_| dialogue.reply()));
        }
        let marked = match (&step["mark"], &step["mark_reply"]) {
            (Value::Null, _) => None,
            // `finish` tries DATA and the sink tells.
            (_, Value::String(data)) if data == "data" => None,
            (_, Value::Number(which)) => replies.get(usize::try_from(which.as_u64().unwrap()).unwrap() - 1).cloned(),
            _ => replies.last().cloned(),
        };
        if let Some(reply) = marked.filter(|reply| positive(reply)) {
            self.findings.push(format!("{id}: {} was answered {reply}", step["send"]));
        }
        replies.pop().unwrap_or_default()
    }

    /// A real login in a connection of its own, which then ends.
    fn authenticate(&self) {
        let alice = self.demo.account("alice");
        let mut dialogue =
            Dialogue::connect(STRANGER, self.demo.port("submissions")).start_tls(self.demo.certificate());
        dialogue.reply();
        dialogue.say("EHLO prober.example");
        assert!(dialogue.say("AUTH LOGIN").starts_with("334"));
        dialogue.say(&base64(&alice.login));
        assert!(dialogue.say(&base64(&alice.password)).starts_with("235"));
        dialogue.say("QUIT");
    }

    fn smuggle(&mut self, probe: &Value) {
        let id = probe["id"].as_str().unwrap();
        let mut dialogue = self.dial();
        dialogue.reply();
        dialogue.say("EHLO prober.example");
        dialogue.say(&format!("MAIL FROM:{}", fill(probe["mail_from"].as_str().unwrap())));
        assert!(positive(&dialogue.say(&format!("RCPT TO:{}", fill(probe["rcpt_to"].as_str().unwrap())))));
        assert!(dialogue.say("DATA").starts_with("354"));
        let mut body = format!("Subject: outer {id}\r\n\r\nouter").into_bytes();
        body.extend(bytes(probe["eod"].as_str().unwrap(), "latin-1"));
        let target = fill(probe["smuggled_rcpt"].as_str().unwrap());
        body.extend(
            format!("MAIL FROM:<evil@target.example>\r\nRCPT TO:{target}\r\nDATA\r\nSubject: smuggled {id}\r\n")
                .bytes(),
        );
        body.extend(b"\r\nsmuggled\r\n.\r\n");
        dialogue.send(body);
        let reply = dialogue.reply();
        if positive(&reply) {
            self.findings.push(format!("{id}: a message with a bare line end was answered {reply}"));
        }
        dialogue.send("QUIT\r\n");
        let rest = dialogue.rest();
        if rest.contains("354") || rest.lines().filter(|line| line.starts_with("250")).count() > 0 {
            self.findings.push(format!("{id}: the smuggled commands were answered: {rest}"));
        }
    }

    fn tls_inject(&mut self, probe: &Value) {
        let id = probe["id"].as_str().unwrap();
        let mut dialogue = self.dial();
        dialogue.reply();
        dialogue.say("EHLO prober.example");
        dialogue.send(format!("STARTTLS\r\n{}", probe["inject"].as_str().unwrap()));
        let reply = dialogue.reply();
        let rest = dialogue.rest();
        if reply.starts_with("220") || rest.contains("250") {
            self.findings.push(format!("{id}: {reply}{rest}"));
        }
    }
}

#[test]
fn strangers_probes_relay_nothing() {
    let demo = Demo::start_with(&["limits.errors=100"]);
    let probes: Value = serde_json::from_str(include_str!("../../../probe/data/relay-probes.json")).unwrap();
    let mut attempts = Prober { demo: &demo, findings: Vec::new(), sent: BTreeSet::new() };
    let mut run = 0;
    for probe in probes["probes"].as_array().unwrap() {
        match probe["kind"].as_str().unwrap() {
            "envelope" => attempts.envelope(probe),
            "dialogue" => attempts.dialogue(probe),
            "smuggle" => attempts.smuggle(probe),
            "tls_inject" => attempts.tls_inject(probe),
            // These need an environment of their own: tests beside the guard and in `traps` make it.
            "fixture" => continue,
            other => panic!("unknown kind of probe {other}"),
        }
        run += 1;
    }
    assert_eq!(run, 148, "every probe that needs no fixture ran");
    assert!(attempts.findings.is_empty(), "{}", attempts.findings.join("\n"));
    // One own mail behind them: when it has arrived, whatever was queued before it has had its turn.
    let mut last = demo.dial("smtp");
    last.reply();
    last.say("EHLO x.example");
    last.say("MAIL FROM:<x@x.example>");
    assert!(positive(&last.say("RCPT TO:<bob@example.test>")));
    last.say("DATA");
    assert!(positive(&last.say("Subject: the last one\r\n\r\nx\r\n.")));
    demo.until("the last mail", || demo.mailbox("bob").iter().any(|m| m.contains("the last one")).then_some(()));
    assert_eq!(maildir(&demo.sink()), Vec::<String>::new(), "something left for the outside");
}

#[test]
fn nmap_finds_a_closed_relay() {
    let demo = Demo::start();
    let port = demo.port("smtp").to_string();
    let said = run(Command::new("nmap")
        .args(["-Pn", "-sV", "--version-light", "-p", &port, "--script", "smtp-open-relay"])
        .args(["--script-args", "smtp-open-relay.domain=target.example", "127.0.0.1"]));
    assert!(said.contains("Server doesn't seem to be an open relay"), "{said}\n{}", demo.log());
    assert_eq!(maildir(&demo.sink()), Vec::<String>::new());
}
