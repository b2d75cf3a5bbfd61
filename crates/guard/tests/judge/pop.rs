//! What a POP login gives, and to whom it does not.

use super::*;

#[test]
fn pop_grants_are_bound() {
    let policy = policy();
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = pop_user();
        change(&mut world);
        rule(&policy, &world).reason()
    };
    assert_eq!(with(&|w| w.from = "<>"), Some("null-sender-not-granted"));
    assert_eq!(with(&|w| w.owners = Fact::Known(vec!["bob@example.test".to_owned()])), Some("sender-not-granted"));
    assert_eq!(with(&|w| w.owners = Fact::Known(Vec::new())), Some("sender-not-granted"));
    assert_eq!(with(&|w| w.client = "192.0.2.8"), Some("relay-denied"), "evidence of another address");
    assert_eq!(with(&|w| w.charge = Fact::Known(Charged::Exceeded)), Some("grant-exhausted"));
    let end = noon() + Duration::from_mins(30);
    assert_eq!(with(&|w| w.now = end), Some("relay-denied"), "expired to the instant");
    assert_eq!(with(&|w| w.now = end - Duration::from_nanos(1)), None);
    assert_eq!(with(&|w| w.now = noon() - Duration::from_hours(2)), Some("relay-denied"), "the clock was set back");
}

/// The next user behind the same address has no use of the grant with a reverse-path of his own.
#[test]
fn t20_the_next_nat_user_does_not_inherit_the_grant() {
    let bob =
        World { from: "<bob@example.test>", owners: Fact::Known(vec!["bob@example.test".to_owned()]), ..pop_user() };
    assert_eq!(rule(&policy(), &bob).reason(), Some("sender-not-granted"));
}

#[test]
fn at_a_shared_address_each_mail_must_fit_one_account() {
    let shared = vec![evidence("alice@example.test", "192.0.2.7"), evidence("bob@example.test", "192.0.2.7")];
    for (owner, right) in [("alice@example.test", true), ("bob@example.test", true), ("carol@example.test", false)] {
        let world =
            World { pop: Fact::Known(shared.clone()), owners: Fact::Known(vec![owner.to_owned()]), ..stranger() };
        let ruling = rule(&policy(), &world);
        assert_eq!(ruling.right().and_then(Right::login), right.then_some(owner));
    }
}

#[test]
fn ipv6_evidence_is_for_the_address_unless_configured() {
    let other = World {
        client: "2001:db8::2",
        pop: Fact::Known(vec![evidence("alice@example.test", "2001:db8::1")]),
        ..stranger()
    };
    assert_eq!(rule(&policy(), &other).reason(), Some("relay-denied"));
    let pop = Some(PopSpec { ipv6_prefix_bits: 64, drac_senders: DracSenders::Hosted, line: line(1) });
    let wide = of(RelayPolicy::new(RelayPolicySpec { pop, ..RelayPolicySpec::default() }).unwrap());
    let key = wide.relay.pop_key(ip("2001:db8::1")).to_string();
    let same = World { pop: Fact::Known(vec![evidence("alice@example.test", &key)]), ..other };
    assert_eq!(rule(&wide, &same).right().unwrap().code(), "pop");
}

/// Whoever comes through a gateway has its address: neither a network around it, nor its name, nor a login from there says who
/// sends.
#[test]
fn t01_a_gateway_has_no_right() {
    let relaying = |client, world: &World| {
        let world = World { client, ..world.clone() };
        rule(&policy(), &world).right().map(Right::code)
    };
    assert_eq!(relaying("198.51.100.2", &stranger()), Some("network"));
    for gateway in ["198.51.100.1", "::ffff:198.51.100.1"] {
        assert_eq!(relaying(gateway, &stranger()), None, "{gateway}");
    }
    let name = ConfirmedName::attest_forward_confirmed(Domain::parse("mx.partner.example").unwrap());
    let named = World { name: Fact::Known(Some(name)), ..stranger() };
    assert_eq!(relaying("203.0.113.8", &named), Some("client-map"));
    assert_eq!(relaying("203.0.113.9", &named), None);
    let logged_in = |addr| World { pop: Fact::Known(vec![evidence("alice@example.test", addr)]), ..stranger() };
    assert_eq!(relaying("203.0.113.8", &logged_in("203.0.113.8")), Some("pop"));
    for addr in ["203.0.113.9", "2001:db8:9::1"] {
        assert_eq!(
            relaying(addr, &logged_in(addr)),
            None,
            "{addr}: evidence that is older than what is known of the network"
        );
    }
}
