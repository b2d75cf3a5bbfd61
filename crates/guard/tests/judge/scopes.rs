//! How long facts count, and what a charge costs whom.

use super::*;
use guard::case::Mailboxes;
use guard::facts::Stamp;

/// The client's name is asked for once in a connection, whatever comes of it.
#[test]
fn a_connection_asks_once_for_the_name() {
    let (policy, world) = (policy(), World { name: Fact::Unknown(Fault::TimedOut("dns")), ..stranger() });
    let mut case = world.case(MANNER);
    assert_eq!(rule_in(&policy, &world, &mut case).needs, ["hosting", "name", "pop"]);
    assert_eq!(rule_in(&policy, &world, &mut case).needs, ["hosting", "pop"]);
    case.end_transaction();
    case.begin(ReversePath::Null, None);
    assert_eq!(rule_in(&policy, &world, &mut case).needs, ["hosting", "pop"]);
    let mut other = world.case(MANNER);
    assert_eq!(rule_in(&policy, &world, &mut other).needs, ["hosting", "name", "pop"]);
}

/// Who logged in is asked at each command, and nothing is judged by what was known before.
#[test]
fn a_login_counts_for_one_command() {
    let world = World { login: Some(login("alice@example.test")), ..stranger() };
    let mut case = world.case(MANNER);
    assert!(rule_in(&policy(), &world, &mut case).is_relayed());
    let gone = World { login: None, ..world };
    let ruling = rule_in(&policy(), &gone, &mut case);
    assert!(ruling.needs.contains(&"login"));
    assert_eq!(ruling.reason(), Some("relay-denied"));
}

/// What a stamp shows to be still true need not be looked up again.
#[test]
fn an_answer_with_a_stamp_can_be_kept() {
    let (policy, world) = (policy(), World { login: Some(login("alice@example.test")), ..stranger() });
    let mut case = world.case(MANNER);
    let parsed = ForwardPath::parse(&world.to).unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: false };
    for (round, kept) in [(1, false), (2, true)] {
        let mut command = Command::rcpt(asked, &case, world.now);
        loop {
            match judge(&policy, &mut case, &mut command) {
                Judged::Need(needs) => {
                    for need in needs {
                        let gathered = match need.older {
                            Some(Stamp(7)) => Gathered::Unchanged,
                            Some(other) => panic!("{other:?}"),
                            None => Gathered::Found(Found::new(world.value(need.fact), world.now).stamped(Stamp(7))),
                        };
                        assert_eq!(matches!(gathered, Gathered::Unchanged), kept && need.fact != FactName::ClientName);
                        command.learn(&mut case, &need, gathered);
                    }
                }
                Judged::Reserve(_) => command.reserved(Reserved::All),
                Judged::Verdict(verdict) => {
                    assert!(matches!(verdict.outcome, Outcome::Accept(_)), "round {round}");
                    break;
                }
            }
        }
    }
}

/// "Nothing changed" where nothing was known is no answer.
#[test]
fn unchanged_of_nothing_gives_no_right() {
    let (policy, world) = (policy(), World { login: Some(login("alice@example.test")), ..stranger() });
    let mut case = world.case(MANNER);
    let parsed = ForwardPath::parse(&world.to).unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: false };
    let mut command = Command::rcpt(asked, &case, world.now);
    loop {
        match judge(&policy, &mut case, &mut command) {
            Judged::Need(needs) => {
                for need in needs {
                    command.learn(&mut case, &need, Gathered::Unchanged);
                }
            }
            Judged::Reserve(_) => panic!("nothing is charged"),
            Judged::Verdict(verdict) => {
                assert!(matches!(verdict.outcome, Outcome::Defer(_)));
                return;
            }
        }
    }
}

/// The mailbox of a recipient that we deliver to must have room; one that cannot be measured is delivery's to find.
#[test]
fn room_is_the_last_question_where_we_deliver() {
    let world = World {
        to: "<b@example.test>".to_owned(),
        hosting: Fact::Known(Hosting::Mailbox),
        charge: Fact::Known(Charged::Exceeded),
        ..stranger()
    };
    let ours = Manner { mailboxes: Mailboxes::Ours, ..MANNER };
    let ruling = rule_in(&policy(), &world, &mut world.case(ours));
    assert_eq!((ruling.reason(), ruling.needs), (Some("mailbox-full"), vec!["hosting", "charge"]));
    assert!(rule(&policy(), &world).is_hosted());
    let onward = World { hosting: Fact::Known(Hosting::NotHosted), to: "<b@relay.example>".to_owned(), ..world };
    assert!(rule_in(&policy(), &onward, &mut onward.case(ours)).is_hosted());
}

/// Where the mail server says who may relay, no right is looked for and nothing is charged.
#[test]
fn a_mail_server_that_decides_itself_is_told_what_is_ours_only() {
    let world = World { charge: Fact::Known(Charged::Exceeded), ..pop_user() };
    let manner = Manner::asked_by_mail_server(Depth::Hosting);
    let ruling = rule_in(&policy(), &world, &mut world.case(manner));
    assert_eq!((ruling.outcome, ruling.needs), (Outcome::Proceed, vec!["hosting"]));
    let unknown = World { to: "<b@example.test>".to_owned(), hosting: Fact::Known(Hosting::UnknownUser), ..stranger() };
    assert_eq!(rule_in(&policy(), &unknown, &mut unknown.case(manner)).reason(), Some("unknown-user"));
}

/// A mail server may have recipients that nothing here has: having no right is then no refusal, and no right either. Asked
/// about what it does not have, the refusal is said.
#[test]
fn t59_a_mail_server_s_own_recipients_are_not_refused() {
    let (policy, fault) = (policy(), Fault::TimedOut("test"));
    let inside = Device {
        name: "scanner".to_owned(),
        login: "alice-scanner@example.test".to_owned(),
        reverse_path: None,
        scope: RecipientScope::HostedOnly,
        messages_per_hour: None,
    };
    let bound = Login::attest_authenticated("alice@example.test".into(), Some(Arc::new(inside)));
    let worlds = [
        (stranger(), "relay-denied", [true, true]),
        (
            World { owners: Fact::Known(vec!["bob@example.test".to_owned()]), ..pop_user() },
            "sender-not-granted",
            [true, true],
        ),
        (World { from: "<>", ..pop_user() }, "null-sender-not-granted", [true, true]),
        (World { to: "<postmaster@[192.0.2.99]>".to_owned(), ..stranger() }, "relay-denied", [true, true]),
        (World { charge: Fact::Known(Charged::Exceeded), ..pop_user() }, "grant-exhausted", [true, false]),
        (World { charge: Fact::Unknown(fault), ..pop_user() }, "authority-unavailable", [true, false]),
        (World { name: Fact::Unknown(fault), ..stranger() }, "authority-unavailable", [true, false]),
        (World { login: Some(bound), ..pop_user() }, "recipient-out-of-scope", [true, false]),
        // What is ours, and whose the sender is, must be known whoever else may answer.
        (World { hosting: Fact::Unknown(fault), ..stranger() }, "authority-unavailable", [false, false]),
        (World { hosting: Fact::Known(Hosting::UnknownUser), ..stranger() }, "unknown-user", [false, false]),
        (World { login: Some(login("bob@example.test")), ..pop_user() }, "sender-not-yours", [false, false]),
    ];
    for (world, reason, left) in worlds {
        let judged = |depth| rule_in(&policy, &world, &mut world.case(Manner::asked_by_mail_server(depth)));
        assert_eq!(judged(Depth::Relaying).reason(), Some(reason));
        for (depth, left) in [Depth::Granting, Depth::Offering].into_iter().zip(left) {
            let ruling = judged(depth);
            assert_eq!(ruling.outcome == Outcome::Proceed, left, "{reason} {depth:?}: {}", ruling.trace);
            assert_eq!(ruling.reason(), (!left).then_some(reason), "{depth:?}");
        }
    }
    for depth in [Depth::Granting, Depth::Offering] {
        let manner = Manner::asked_by_mail_server(depth);
        assert_eq!(rule_in(&policy, &pop_user(), &mut pop_user().case(manner)).right().unwrap().code(), "pop");
        // What was permitted is not permitted any more once its right is gone.
        let (gone, mut case) = (stranger(), pop_user().case(manner));
        let parsed = ForwardPath::parse(&gone.to).unwrap();
        let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: false };
        let confirmed = Command::confirm(asked, &case, gone.now);
        assert_eq!(drive(&policy, &gone, &mut case, confirmed).reason(), Some("relay-denied"), "{depth:?}");
    }
}

/// A record is whole, and can be written down.
#[test]
fn a_record_tells_it_all() {
    use guard::explain::ExplainId;
    use guard::record::{Ended, Origin, Record};
    let (policy, world) = (policy(), pop_user());
    let mut case = world.case(MANNER);
    let parsed = ForwardPath::parse(&world.to).unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: false };
    let mut command = Command::rcpt(asked, &case, world.now);
    let verdict = loop {
        match judge(&policy, &mut case, &mut command) {
            Judged::Need(needs) => {
                for need in needs {
                    command.learn(&mut case, &need, Gathered::Found(Found::new(world.value(need.fact), world.now)));
                }
            }
            Judged::Reserve(_) => command.reserved(Reserved::All),
            Judged::Verdict(verdict) => break verdict,
        }
    };
    let of = Origin { session: "s1".to_owned(), listener: "smtp".into() };
    let ended = Ended { policy: &policy, case: &case, verdict: &verdict };
    let record = Record::new(ExplainId::from_random(5), of, ended, command);
    let written = serde_json::to_value(&record).unwrap();
    assert_eq!(written["form"], 2);
    assert_eq!(written["stage"], "rcpt");
    assert_eq!(written["outcome"], "relayed");
    assert_eq!(written["right"]["code"], "pop");
    assert_eq!(written["right"]["line"], "sekisho.toml:40");
    assert_eq!(written["login"], "alice@example.test");
    assert_eq!(written["facts"][0]["fact"], "hosting");
    assert_eq!(written["facts"][0]["value"]["known"], "not-hosted");
    assert_eq!(written["facts"].as_array().unwrap().len(), 4);
    let micros = written["at"].as_u64().unwrap();
    assert_eq!(world.now, std::time::UNIX_EPOCH + std::time::Duration::from_micros(micros));
    assert_eq!(written["seen"]["manner"]["depth"], "relaying");
    assert!(written["trace"].as_str().unwrap().starts_with("asked=client found=192.0.2.7; "));
}
