//! Whose mail the owner of a recipient takes.

use super::*;

fn to_ours(choice: Choice) -> World {
    World {
        to: "<b@example.test>".to_owned(),
        hosting: Fact::Known(Hosting::Mailbox),
        choice: Fact::Known(choice),
        ..stranger()
    }
}

fn sent_by(ruling: &Ruling) -> Option<Proof> {
    match &ruling.outcome {
        Outcome::Accept(Recipient::Hosted(hosted)) => Some(hosted.sent_by()),
        _ => None,
    }
}

#[test]
fn a_refusal_holds_without_proof_and_what_is_accepted_only_with_it() {
    let policy = policy();
    for (choice, stranger, by_pop, by_login) in [
        (Choice::None, true, true, true),
        (Choice::Accepted, true, true, true),
        (Choice::MoreIfProved, true, true, true),
        (Choice::Refused, false, false, false),
        (Choice::NotAccepted, false, true, true),
        (Choice::IfProved, false, true, true),
    ] {
        let world = to_ours(choice);
        let pop = World { pop: pop_user().pop, ..world.clone() };
        let login = World { login: Some(login("alice@example.test")), ..world.clone() };
        for (world, taken) in [(world, stranger), (pop, by_pop), (login, by_login)] {
            let ruling = rule(&policy, &world);
            assert_eq!(ruling.is_hosted(), taken, "{choice:?}: {}", ruling.trace);
            let reason = (!taken).then_some("refused-by-recipient");
            assert_eq!(ruling.reason(), reason, "{choice:?}: {}", ruling.trace);
            assert!(ruling.charges.is_empty(), "a proof charges nothing");
        }
    }
}

#[test]
fn whoever_goes_by_proof_is_told_of_it() {
    let policy = policy();
    let world = World { login: Some(login("alice@example.test")), ..to_ours(Choice::MoreIfProved) };
    assert_eq!(sent_by(&rule(&policy, &world)), Some(Proof::Login));
    let ruling = rule(&policy, &to_ours(Choice::MoreIfProved));
    assert_eq!((sent_by(&ruling), ruling.needs), (Some(Proof::None), vec!["hosting", "choice", "pop", "spf"]));
    let ruling = rule(&policy, &to_ours(Choice::Refused));
    assert_eq!(ruling.needs, ["hosting", "choice"], "no proof would help");
    assert!(ruling.trace.contains("asked=choice found=refused;"), "{}", ruling.trace);
}

#[test]
fn unknown_choices_weigh_nothing_and_others_recipients_have_none() {
    let world = World { choice: Fact::Unknown(Fault::Unavailable("directory")), ..to_ours(Choice::None) };
    let ruling = rule(&policy(), &world);
    assert!(ruling.is_hosted(), "{}", ruling.trace);
    // Whether it is one of our own who logged in by POP cannot be asked: not now.
    let world = World { pop: Fact::Unknown(Fault::Unavailable("state")), ..to_ours(Choice::NotAccepted) };
    assert_eq!(rule(&policy(), &world).reason(), Some("authority-unavailable"));
    let world = World { choice: Fact::Known(Choice::MoreIfProved), ..world };
    assert!(rule(&policy(), &world).is_hosted());
    let onward = World { to: "<b@relay.example>".to_owned(), ..to_ours(Choice::Refused) };
    let onward = World { hosting: Fact::Known(Hosting::NotHosted), ..onward };
    assert!(rule(&policy(), &onward).is_hosted());
}

/// Who may send for a domain is known by it, but never as the sender that has none.
#[test]
fn the_domain_of_the_reverse_path_may_prove_it() {
    let policy = policy();
    for (spf, from, choice, taken) in [
        (SpfResult::Pass, "<friend@friends.example>", Choice::IfProved, Ok(Proof::Domain)),
        (SpfResult::Pass, "<friend@friends.example>", Choice::MoreIfProved, Ok(Proof::Domain)),
        (SpfResult::Pass, "<friend@friends.example>", Choice::NotAccepted, Err("refused-by-recipient")),
        (SpfResult::Pass, "<>", Choice::IfProved, Err("refused-by-recipient")),
        (SpfResult::SoftFail, "<friend@friends.example>", Choice::IfProved, Err("refused-by-recipient")),
        (SpfResult::TempError, "<friend@friends.example>", Choice::IfProved, Err("authority-unavailable")),
        (SpfResult::TempError, "<friend@friends.example>", Choice::MoreIfProved, Ok(Proof::None)),
    ] {
        let world = World { spf: Fact::Known(spf), from, ..to_ours(choice) };
        let ruling = rule(&policy, &world);
        let found = sent_by(&ruling).ok_or_else(|| ruling.reason().unwrap_or("none"));
        assert_eq!(found, taken, "{spf:?} {from} {choice:?}: {}", ruling.trace);
    }
}

/// A mail server that says itself who may relay hears of it too.
#[test]
fn it_is_the_same_for_whoever_asks() {
    for depth in [Depth::Hosting, Depth::Granting, Depth::Offering, Depth::Relaying] {
        let world = to_ours(Choice::Refused);
        let ruling = rule_in(&policy(), &world, &mut world.case(Manner::asked_by_mail_server(depth)));
        assert_eq!(ruling.reason(), Some("refused-by-recipient"), "{depth:?}");
    }
}
