//! miltertest drives the milter listener from the scripts in `data/`.

use std::process::Command;

use super::{ALICE_AT, pop_login};
use crate::demo::{Demo, run};
use crate::support::root;

const DATA: &str = "crates/sekisho/tests/mta/data";
/// Letters of the answers (`libmilter/mfdef.h`): a reply of one's own or reject, and continue.
const REFUSED: &str = "yr";
const CONTINUE: &str = "c";

fn plays(script: &str, demo: &Demo, variables: &[(&str, &str)]) {
    let data = root().join(DATA);
    let mut command = Command::new("miltertest");
    command.arg("-D").arg(format!("socket=inet:{}@127.0.0.1", demo.port("milter")));
    command.arg("-D").arg(format!("shared={}", data.join("milter_all.lua").display()));
    for (name, value) in variables {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    run(command.arg("-s").arg(data.join(script)));
}

#[test]
fn miltertest_every_stage() {
    plays("milter_stages.lua", &Demo::start(), &[("outside", REFUSED)]);
}

/// Where the mail server decides about relaying, the guard says nothing about it.
#[test]
fn miltertest_every_stage_where_it_only_restricts() {
    let demo = Demo::start_with(&["listener.milter.relay=\"restrict\""]);
    plays("milter_stages.lua", &demo, &[("outside", CONTINUE)]);
}

#[test]
fn miltertest_messages_in_one_connection() {
    plays("milter_messages.lua", &Demo::start(), &[]);
}

#[test]
fn miltertest_grant() {
    let demo = Demo::start();
    pop_login(&demo, &demo.account("alice"));
    plays("milter_grant.lua", &demo, &[("address", &ALICE_AT.to_string())]);
}

#[test]
fn miltertest_what_access_rules_want() {
    let maps = tempfile::tempdir().unwrap();
    let (senders, clients) = (maps.path().join("senders"), maps.path().join("clients"));
    let from = |who: &str, action: &str| format!("{who}@elsewhere.example {action}\n");
    let rules = [("marked", "PREPEND X-Marked: yes"), ("held", "HOLD"), ("gone", "DISCARD"), ("refused", "REJECT")];
    std::fs::write(&senders, rules.map(|(who, action)| from(who, action)).concat()).unwrap();
    std::fs::write(&clients, "192.0.2.99/32 REJECT not from there\n").unwrap();
    let access = format!(
        "access=[{{map=\"access:{}\", at=\"sender\"}}, {{map=\"cidr:{}\", at=\"client\"}}]",
        senders.display(),
        clients.display()
    );
    plays("milter_effects.lua", &Demo::start_with(&[&access]), &[]);
}
