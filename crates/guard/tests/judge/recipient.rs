//! Which recipients are ours, however they are written.

use super::*;

/// Tricks towards our own domains: refused whatever alias or catch-all would take them, unless a mailbox is named so.
#[test]
fn t08_routes_in_the_local_part_are_neither_local_nor_relayed() {
    let tricks = ["b%elsewhere.example", "elsewhere.example!b", "\"b@elsewhere.example\"", "\"@a:b\"", "\"x::y\""];
    for local in tricks {
        for (domain, hosting) in [
            ("example.test", Hosting::Alias),
            ("example.test", Hosting::UnknownUser),
            ("relay.example", Hosting::NotHosted),
            ("[192.0.2.25]", Hosting::Alias),
        ] {
            let world = World { to: format!("<{local}@{domain}>"), hosting: Fact::Known(hosting), ..pop_user() };
            assert_eq!(rule(&policy(), &world).reason(), Some("routing-refused"), "{local}@{domain}");
        }
        let exact =
            World { to: format!("<{local}@example.test>"), hosting: Fact::Known(Hosting::Mailbox), ..stranger() };
        assert!(rule(&policy(), &exact).is_hosted(), "{local}");
        let foreign = World { to: format!("<{local}@elsewhere.example>"), ..stranger() };
        assert_eq!(rule(&policy(), &foreign).reason(), Some("relay-denied"), "{local}");
    }
}

#[test]
fn a_source_route_is_judged_by_its_last_mailbox() {
    let foreign = World { to: "<@example.test,@x.example:b@elsewhere.example>".to_owned(), ..stranger() };
    let ruling = rule(&policy(), &foreign);
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert!(ruling.trace.contains("asked=source-route found=yes"));
    let ours = World {
        to: "<@elsewhere.example:b@example.test>".to_owned(),
        hosting: Fact::Known(Hosting::Mailbox),
        ..stranger()
    };
    assert!(rule(&policy(), &ours).is_hosted());
}

#[test]
fn literals_are_ours_only_if_listed() {
    let policy = policy();
    let to = |text: &str, hosting| World { to: text.to_owned(), hosting: Fact::Known(hosting), ..stranger() };
    let Outcome::Accept(Recipient::Hosted(hosted)) =
        rule(&policy, &to("<postmaster@[192.0.2.25]>", Hosting::Mailbox)).outcome
    else {
        panic!("an own literal is hosted")
    };
    assert_eq!(hosted.mailbox().unwrap().to_string(), "postmaster@example.test");
    assert_eq!(hosted.path().to_string(), "<postmaster@[192.0.2.25]>");
    let mapped = to("<alice@[IPv6:::ffff:192.0.2.25]>", Hosting::Mailbox);
    assert!(rule(&policy, &mapped).is_hosted());
    assert_eq!(rule(&policy, &to("<b@[192.0.2.25]>", Hosting::UnknownUser)).reason(), Some("unknown-user"));
    assert_eq!(rule(&policy, &to("<b@[192.0.2.25]>", Hosting::NotHosted)).reason(), Some("literal-refused"));
    for foreign in ["<b@[192.0.2.26]>", "<b@[127.0.0.1]>", "<b@[IPv6:2001:db8::25]>"] {
        let ruling = rule(&policy, &to(foreign, Hosting::Mailbox));
        assert_eq!(ruling.reason(), Some("relay-denied"), "{foreign}");
        assert_eq!(ruling.needs, ["name", "pop"], "the directory is not asked about {foreign}");
    }
}

#[test]
fn bare_postmaster_is_the_default_domain_s() {
    let world = World { to: "<postmaster>".to_owned(), hosting: Fact::Known(Hosting::Alias), ..stranger() };
    let Outcome::Accept(Recipient::Hosted(hosted)) = rule(&policy(), &world).outcome else { panic!() };
    assert_eq!(hosted.mailbox().unwrap().to_string(), "postmaster@example.test");
}
