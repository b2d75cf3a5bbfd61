//! Whose mail each user takes, as he chose, over the whole program.

use crate::asking::Policy;
use crate::support::{Demo, message};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const CAROL: &str = "carol@example.test";
const TEAM: &str = "team@example.test";
const NEWS: &str = "letters@news.example";
const REFUSED: &str = ": the recipient does not take your mail [";

fn subjects(demo: &Demo, login: &str) -> Vec<String> {
    let mails = demo.mailbox(login);
    let subject = |mail: &String| mail.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned));
    let mut subjects: Vec<String> = mails.iter().filter_map(subject).collect();
    subjects.sort();
    subjects
}

#[test]
fn who_refuses_gets_none_and_the_others_get_theirs() {
    let demo = Demo::start();
    demo.ruled(&["alias", "add", TEAM, ALICE, BOB]);
    demo.ruled(&["user", "choice", "refuse", BOB, "news.example"]);
    demo.ruled(&["user", "choice", "only", CAROL, "on"]);
    let listed = demo.ruled(&["user", "choice", "list", BOB]);
    assert!(listed.contains("refuse") && listed.contains("news.example"), "{listed}");

    // One mail for two of whom one refuses.
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(NEWS, ALICE).starts_with("250"));
    let refused = smtp.say(&format!("RCPT TO:<{BOB}>"));
    assert!(refused.starts_with(&format!("550 5.7.1 <{BOB}>{REFUSED}")), "{refused}");
    demo.logged(&["refused", "reason=refused-by-recipient", "asked=choice found=refused;"]);
    assert!(smtp.data(message(NEWS, ALICE, "both")).starts_with("250"));
    // Behind an alias.
    assert!(smtp.mail(NEWS, TEAM, message(NEWS, TEAM, "team")).starts_with("250"));
    demo.logged(&["recipient_unwilling", BOB]);
    // An address of the list is nothing by itself.
    demo.ruled(&["user", "choice", "accept", BOB, NEWS]);
    assert!(smtp.rcpt(NEWS, BOB).contains(REFUSED), "nobody has shown that he is {NEWS}");

    // Who takes only what he accepts: a login, and what has no sender.
    assert!(smtp.rcpt(ALICE, CAROL).contains(REFUSED), "anybody may say that he is alice");
    assert!(smtp.rcpt("", CAROL).starts_with("250"));
    let mut alice = demo.submission(&demo.account("alice"));
    assert!(alice.mail(ALICE, CAROL, message(ALICE, CAROL, "login")).starts_with("250"));
    // Postfix asks, and hears the same.
    let mut policy = Policy::connect(&demo);
    let ask = |policy: &mut Policy, to: &str| {
        policy.ask("RCPT", &[("client_address", "192.0.2.7"), ("sender", NEWS), ("recipient", to)])
    };
    assert!(ask(&mut policy, BOB).starts_with(&format!("550 5.7.1 <{BOB}>{REFUSED}")));
    assert_eq!(ask(&mut policy, ALICE), "DUNNO");

    demo.until_drained();
    assert_eq!(subjects(&demo, "alice"), ["both", "team"]);
    assert_eq!((subjects(&demo, "bob"), subjects(&demo, "carol")), (vec![], vec!["login".to_owned()]));

    // It ends in the session that is open.
    demo.ruled(&["user", "choice", "remove", BOB, NEWS, "news.example"]);
    assert!(smtp.rcpt(NEWS, BOB).starts_with("250"));
}

#[test]
fn a_domain_is_switched_off_and_a_role_has_several_logins() {
    let demo = Demo::start();
    demo.ruled(&["alias", "add", TEAM, ALICE, BOB]);
    // Who stands behind a role sends by its address, and nobody else.
    for (login, told) in [("alice", "250"), ("bob", "250"), ("carol", "553 5.7.1")] {
        let answer = demo.submission(&demo.account(login)).rcpt(TEAM, "friend@outside.example");
        assert!(answer.starts_with(told), "{login}: {answer}");
    }

    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(NEWS, ALICE).starts_with("250"));
    demo.ruled(&["domain", "off", "example.test"]);
    assert!(demo.ruled(&["domain", "list"]).contains("example.test  later"));
    // At once, in the session that is open, whoever is meant, also over the interfaces of mail servers.
    for to in [BOB, "nobody-there@example.test", TEAM] {
        let answer = smtp.say(&format!("RCPT TO:<{to}>"));
        assert!(answer.starts_with(&format!("450 4.2.1 <{to}>: mail for this domain is not taken at")), "{answer}");
    }
    demo.logged(&["refused", "reason=domain-off"]);
    let mut policy = Policy::connect(&demo);
    let asked = policy.ask("RCPT", &[("client_address", "192.0.2.7"), ("sender", NEWS), ("recipient", BOB)]);
    assert!(asked.starts_with("450 4.2.1"), "{asked}");
    // What was taken before is delivered, and its users write as ever.
    assert!(smtp.data(message(NEWS, ALICE, "before")).starts_with("250"));
    let mut alice = demo.submission(&demo.account("alice"));
    assert!(alice.rcpt(ALICE, "friend@outside.example").starts_with("250"));
    demo.until_drained();
    assert_eq!(subjects(&demo, "alice"), ["before"]);

    demo.ruled(&["domain", "on", "example.test"]);
    assert!(smtp.rcpt(NEWS, BOB).starts_with("250"));
}
