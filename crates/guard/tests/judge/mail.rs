//! At MAIL: the reverse-path of who logged in.

use super::*;

#[test]
fn at_mail_the_reverse_path_must_be_the_login_s() {
    let judged = |who: Option<&'static str>, from: &'static str, owners: Fact<Vec<String>>| {
        let world = World { login: who.map(login), from, owners, ..stranger() };
        let mut case = world.case(MANNER);
        let command = Command::new(Stage::Mail, &case, world.now);
        drive(&policy(), &world, &mut case, command)
    };
    let owners = |login: &str| Fact::Known(vec![login.to_owned()]);
    let refused = |reason: Reason| Outcome::from(Refusal::new(reason, Part::Sender));
    let (alice, from) = (Some("alice@example.test"), "<alice@example.test>");
    let stranger_s = judged(None, "<x@anywhere.example>", Fact::Known(Vec::new()));
    assert_eq!((stranger_s.outcome, stranger_s.needs), (Outcome::Proceed, vec![]));
    let null = judged(alice, "<>", Fact::Known(Vec::new()));
    assert_eq!((null.outcome, null.needs), (Outcome::Proceed, vec!["login"]));
    let own = judged(alice, from, owners("alice@example.test"));
    assert_eq!((own.outcome, own.needs), (Outcome::Proceed, vec!["login", "owners"]));
    assert_eq!(judged(alice, from, owners("bob@example.test")).outcome, refused(Reason::SenderNotYours));
    assert_eq!(judged(alice, from, Fact::Known(Vec::new())).outcome, refused(Reason::SenderNotYours));
    let fault = Fact::Unknown(Fault::Unavailable("directory"));
    assert_eq!(judged(alice, from, fault).outcome, refused(Reason::AuthorityUnavailable));
}

/// T28: that its address is in a relay network does not lift what binds a login, nor what its own domain's senders are.
#[test]
fn t28_a_relay_network_does_not_lift_the_check_of_the_sender() {
    let world = World {
        client: "198.51.100.3",
        from: "<bob@example.test>",
        owners: Fact::Known(vec!["bob@example.test".to_owned()]),
        login: Some(login("alice@example.test")),
        ..stranger()
    };
    let mut case = world.case(MANNER);
    let command = Command::new(Stage::Mail, &case, world.now);
    assert_eq!(drive(&policy(), &world, &mut case, command).reason(), Some("sender-not-yours"));
}
