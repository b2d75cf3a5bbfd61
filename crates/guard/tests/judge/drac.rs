//! What DRAC told names a server and no account: which reverse-paths it carries.

use super::*;
use guard::attested::Subject;
use guard::policy::SenderPattern;

fn told_by_server(addr: &str) -> PopEvidence {
    let until = noon() + Duration::from_mins(29);
    PopEvidence::attest_drac_grant(ip("192.0.2.110"), ip(addr), noon() - Duration::from_mins(1), until)
}

fn with_senders(senders: DracSenders) -> Policy {
    let pop = Some(PopSpec { ipv6_prefix_bits: 128, drac_senders: senders, line: line(40) });
    of(RelayPolicy::new(RelayPolicySpec { pop, ..RelayPolicySpec::default() }).expect("no danger in it"))
}

fn from(path: &'static str, hosted: Fact<bool>) -> World {
    let pop = Fact::Known(vec![told_by_server("192.0.2.7")]);
    World { from: path, pop, sender_hosted: hosted, ..stranger() }
}

#[test]
fn by_default_it_carries_our_own_domains_only() {
    let policy = with_senders(DracSenders::Hosted);
    let ours = rule(&policy, &from("<anybody@example.test>", Fact::Known(true)));
    let right = ours.right().expect("granted");
    assert_eq!((right.code(), right.login()), ("pop", None));
    assert!(matches!(right, Right::Pop { subject: Subject::Server(server), .. } if *server == ip("192.0.2.110")));
    assert_eq!(ours.needs, ["hosting", "pop", "sender-hosting", "charge"]);
    let foreign = rule(&policy, &from("<spam@outside.example>", Fact::Known(false)));
    assert_eq!(foreign.reason(), Some("sender-not-granted"));
    let unknown = rule(&policy, &from("<anybody@example.test>", Fact::Unknown(Fault::TimedOut("directory"))));
    assert_eq!(unknown.reason(), Some("authority-unavailable"));
    assert_eq!(rule(&policy, &from("<>", Fact::Known(true))).reason(), Some("null-sender-not-granted"));
}

#[test]
fn a_list_names_domains_and_mailboxes() {
    let domain = Domain::parse("list.example").expect("a domain");
    let mailbox = smtp::address::Mailbox::parse("One@other.example").expect("a mailbox");
    let policy =
        with_senders(DracSenders::Listed(vec![SenderPattern::Domain(domain), SenderPattern::Mailbox(mailbox)]));
    for (path, granted) in [
        ("<a@list.example>", true),
        ("<a@sub.list.example>", false),
        ("<one@other.example>", true),
        ("<two@other.example>", false),
        ("<a@example.test>", false),
    ] {
        assert_eq!(rule(&policy, &from(path, Fact::Known(true))).right().is_some(), granted, "{path}");
    }
}

#[test]
fn any_is_any_but_the_null_one() {
    let policy = with_senders(DracSenders::Any);
    assert!(rule(&policy, &from("<x@outside.example>", Fact::Known(false))).right().is_some());
    assert_eq!(rule(&policy, &from("<>", Fact::Known(false))).reason(), Some("null-sender-not-granted"));
}

#[test]
fn an_account_s_own_evidence_goes_first() {
    let policy = with_senders(DracSenders::Hosted);
    let both = vec![told_by_server("192.0.2.7"), evidence("alice@example.test", "192.0.2.7")];
    let world = World { pop: Fact::Known(both), ..from("<alice@example.test>", Fact::Known(true)) };
    let owned = World { owners: Fact::Known(vec!["alice@example.test".to_owned()]), ..world.clone() };
    assert_eq!(rule(&policy, &owned).right().and_then(Right::login), Some("alice@example.test"));
    let unowned = World { owners: Fact::Known(Vec::new()), ..world };
    assert_eq!(rule(&policy, &unowned).right().and_then(Right::login), None, "the server's is still good for it");
}

/// Another server's account is not in our directory; the address that is its name is its own.
#[test]
fn a_foreign_account_owns_its_own_address() {
    let policy = with_senders(DracSenders::Hosted);
    for (source, granted) in [(PopSource::AuthPolicy, true), (PopSource::Log, true), (PopSource::Pop3, false)] {
        let told = evidence("dave@example.test", "192.0.2.7").told_by(source, false);
        let world = World { owners: Fact::Known(Vec::new()), pop: Fact::Known(vec![told]), ..stranger() };
        let dave = World { from: "<Dave@example.test>", ..world.clone() };
        assert_eq!(rule(&policy, &dave).right().is_some(), granted, "{}", source.code());
        let other = World { from: "<eve@example.test>", ..world.clone() };
        assert_eq!(rule(&policy, &other).reason(), Some("sender-not-granted"));
        let elsewhere = World { from: "<dave@example.test>", sender_hosted: Fact::Known(false), ..world.clone() };
        assert_eq!(rule(&policy, &elsewhere).reason(), Some("sender-not-granted"), "no domain of ours");
        let somebody_s = Fact::Known(vec!["alice@example.test".to_owned()]);
        let given_away = World { from: "<dave@example.test>", owners: somebody_s, ..world };
        assert_eq!(rule(&policy, &given_away).reason(), Some("sender-not-granted"), "the directory gives it to alice");
    }
}
