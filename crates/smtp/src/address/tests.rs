use super::*;

fn forward(text: &str) -> Result<ForwardPathParse, AddressError> {
    ForwardPath::parse(text)
}

#[test]
fn mailboxes_and_how_they_print() {
    let table = [
        ("user@example.com", "user@example.com"),
        ("User@EXAMPLE.Com.", "User@example.com"),
        ("\"user\"@example.com", "user@example.com"),
        ("\"u ser\"@example.com", "\"u ser\"@example.com"),
        (r#""a\"b\\c"@example.com"#, r#""a\"b\\c"@example.com"#),
        (r#""\u\s"@example.com"#, "us@example.com"),
        ("\"\"@example.com", "\"\"@example.com"),
        ("a+b=c/d@example.com", "a+b=c/d@example.com"),
        ("user@[192.0.2.1]", "user@[192.0.2.1]"),
        ("user@[IPv6:2001:DB8::1]", "user@[IPv6:2001:db8::1]"),
        ("user@[ipv6:::ffff:192.0.2.1]", "user@[192.0.2.1]"),
        ("user@b\u{fc}cher.example", "user@xn--bcher-kva.example"),
        ("user@XN--BCHER-KVA.example", "user@xn--bcher-kva.example"),
        ("user@example\u{3002}com", "user@example.com"),
        ("user@ex\u{ad}ample.com", "user@example.com"),
        ("user@\u{ff45}xample.com", "user@example.com"),
        ("\u{9593}@example.com", "\u{9593}@example.com"),
        ("user@mx_1.example.com", "user@mx_1.example.com"),
        ("user@localhost", "user@localhost"),
    ];
    for (text, printed) in table {
        assert_eq!(Mailbox::parse(text).unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn what_is_no_mailbox() {
    let table = [
        ("", AddressError::LocalPart),
        ("user", AddressError::NoHost),
        ("user@", AddressError::NoHost),
        ("@example.com", AddressError::LocalPart),
        ("user@example.com@other.example", AddressError::Trailing),
        ("user@example..com", AddressError::Domain(DomainError::EmptyLabel)),
        ("user@.example.com", AddressError::Domain(DomainError::EmptyLabel)),
        ("user@example.com..", AddressError::Domain(DomainError::EmptyLabel)),
        ("user@.", AddressError::Domain(DomainError::EmptyLabel)),
        ("user@-example.com", AddressError::Domain(DomainError::Malformed)),
        ("user@127.0.0.1", AddressError::Domain(DomainError::Number)),
        ("user@0x7f000001", AddressError::Domain(DomainError::Number)),
        ("user@2130706433", AddressError::Domain(DomainError::Number)),
        ("user@\u{ff11}\u{ff12}", AddressError::Domain(DomainError::Number)),
        ("user@xn--\u{fc}", AddressError::Domain(DomainError::Idn)),
        ("user@xn--a-.example", AddressError::Domain(DomainError::Malformed)),
        ("user@a\u{ff20}b.example", AddressError::Domain(DomainError::Malformed)),
        ("user@[127.0.0.1", AddressError::Literal),
        ("user@[127.1]", AddressError::Literal),
        ("user@[::1]", AddressError::Literal),
        ("user@[example.com]", AddressError::Literal),
        ("user@[x:y]", AddressError::Literal),
        ("user@\"example.com\"", AddressError::NoHost),
        ("us er@example.com", AddressError::LocalPart),
        ("us(er)@example.com", AddressError::LocalPart),
        ("user\\@example.com@other.example", AddressError::LocalPart),
        ("host:user@example.com", AddressError::LocalPart),
        ("\"user@example.com", AddressError::LocalPart),
        ("\"user\"x@example.com", AddressError::LocalPart),
        ("\"us\u{7}er\"@example.com", AddressError::LocalPart),
        ("us\u{2028}er@example.com", AddressError::LocalPart),
        ("user@example.com:25", AddressError::Trailing),
        ("user@example.com/other.example", AddressError::Trailing),
        ("user@example.com ", AddressError::Trailing),
    ];
    for (text, error) in table {
        let found = Mailbox::parse(text).map(|mailbox| mailbox.to_string());
        match error {
            // Which of the two a broken A-label is, is UTS #46's matter.
            AddressError::Domain(DomainError::Idn | DomainError::Malformed) => assert!(found.is_err(), "{text}"),
            _ => assert_eq!(found, Err(error), "{text}"),
        }
    }
    assert_eq!(Mailbox::parse(&format!("{}@d.example", "a".repeat(256))), Err(AddressError::LocalPartTooLong));
    assert!(Domain::parse(&"a.".repeat(127)).is_ok());
    assert_eq!(Domain::parse(&"a.".repeat(128)), Err(DomainError::TooLong));
    assert_eq!(Domain::parse(&"a".repeat(64)), Err(DomainError::TooLong));
}

#[test]
fn paths() {
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    assert_eq!(ReversePath::parse("<@a.example:b@c.example>").unwrap().to_string(), "<b@c.example>");
    assert_eq!(forward("<Postmaster>").unwrap().path, ForwardPath::Postmaster);
    let table = [
        ("", AddressError::Brackets),
        ("user@example.com", AddressError::Brackets),
        ("<user@example.com", AddressError::Brackets),
        ("<<user@example.com>>", AddressError::LocalPart),
        ("<user@example.com>>", AddressError::Trailing),
        ("<user@example.com> <other@example.com>", AddressError::Trailing),
        ("< user@example.com>", AddressError::LocalPart),
        ("<user@example.com >", AddressError::Trailing),
        ("<user@example.com(c)>", AddressError::Trailing),
        ("<user@a.example @b.example>", AddressError::Trailing),
        ("<>", AddressError::LocalPart),
        ("<@>", AddressError::SourceRoute),
        ("<@:user@example.com>", AddressError::SourceRoute),
        ("<@a.example,:user@example.com>", AddressError::SourceRoute),
        ("<@a.example,b.example:user@example.com>", AddressError::SourceRoute),
        ("<@a.example user@example.com>", AddressError::SourceRoute),
        ("<postmaster@>", AddressError::NoHost),
    ];
    for (text, error) in table {
        assert_eq!(forward(text), Err(error), "{text}");
    }
}

#[test]
fn t08_routes_are_understood_by_grammar() {
    let table = [
        ("<user%target.example@local.example>", Some(Routing::Percent), false),
        ("<\"user%target.example\"@local.example>", Some(Routing::Percent), false),
        ("<user%40target.example@local.example>", Some(Routing::Percent), false),
        ("<user%target.example@local.example.>", Some(Routing::Percent), false),
        ("<\"user@target.example\"@local.example>", Some(Routing::QuotedAt), false),
        ("<\"user@target.example \"@[192.0.2.1]>", Some(Routing::QuotedAt), false),
        (r#"<"user\@target.example"@local.example>"#, Some(Routing::QuotedAt), false),
        ("<\"a@b@\"@local.example>", Some(Routing::QuotedAt), false),
        ("<user\u{ff20}target.example@local.example>", Some(Routing::QuotedAt), false),
        ("<target.example!user@local.example>", Some(Routing::Bang), false),
        ("<!target.example!user@local.example>", Some(Routing::Bang), false),
        ("<\"target.example:user\"@local.example>", Some(Routing::Colon), false),
        ("<\"SMTP:user\"@local.example>", Some(Routing::Colon), false),
        ("<@local.example:user@target.example>", None, true),
        ("<@a.example,@[192.0.2.1]:user%b@c.example>", Some(Routing::Percent), true),
        ("<user@target.example>", None, false),
        ("<100%@shop.example>", None, false),
        ("<hello!@shop.example>", None, false),
        ("<user+tag=a@target.example>", None, false),
    ];
    for (text, routing, had_source_route) in table {
        let parsed = forward(text).unwrap();
        let mailbox = parsed.path.mailbox().unwrap();
        assert_eq!((mailbox.routing(), parsed.had_source_route), (routing, had_source_route), "{text}");
    }
}

#[test]
fn t42_stray_dots_pass_as_they_came() {
    for text in
        ["a..b@docomo.ne.jp", "a.@ezweb.ne.jp", ".a@docomo.ne.jp", "\"a..b\"@docomo.ne.jp", "\"a.\"@ezweb.ne.jp"]
    {
        assert_eq!(Mailbox::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Mailbox::parse("\"a.\"@ezweb.ne.jp"), Mailbox::parse("a.@ezweb.ne.jp"));
}

#[test]
fn equal_is_what_reaches_the_same_mailbox() {
    let same = |a: &str, b: &str| Mailbox::parse(a).unwrap() == Mailbox::parse(b).unwrap();
    assert!(same("\"user\"@d.example", "user@D.EXAMPLE."));
    assert!(same("user@[IPv6:::ffff:192.0.2.1]", "user@[192.0.2.1]"));
    assert!(!same("User@d.example", "user@d.example"));
}

#[test]
fn greetings_of_all_sorts() {
    for (text, printed) in [
        ("mail.example.com", Some("mail.example.com")),
        ("[192.0.2.1]", Some("[192.0.2.1]")),
        ("192.0.2.1", Some("192.0.2.1")),
        ("My_PC!", Some("My_PC!")),
        ("", None),
        ("two words", None),
        ("b\u{fc}cher", None),
    ] {
        assert_eq!(Host::parse_greeting(text).map(|host| host.to_string()).as_deref(), printed);
    }
}

#[test]
fn t08_paths_without_brackets_lead_nowhere_else() {
    let read = |text: &str| {
        ForwardPath::read_prefix(text, None).map(|(parsed, rest)| (parsed.path.to_string(), rest.to_owned()))
    };
    let ok = |path: &str, rest: &str| Ok((path.to_owned(), rest.to_owned()));
    let table = [
        ("a@b.example", ok("<a@b.example>", "")),
        ("a@b.example SIZE=1", ok("<a@b.example>", " SIZE=1")),
        ("a%c.example@b.example", ok("<a%c.example@b.example>", "")),
        ("c.example!a@b.example", ok("<c.example!a@b.example>", "")),
        ("\"a@c.example\"@b.example", ok("<\"a@c.example\"@b.example>", "")),
        ("< @c.example:a@b.example >", ok("<a@b.example>", "")),
        ("postmaster", ok("<postmaster>", "")),
        ("postmaster@b.example", ok("<postmaster@b.example>", "")),
        ("a@b.example@c.example", Err(AddressError::Trailing)),
        ("a@b.example;c@d.example", Err(AddressError::Trailing)),
        ("a@b.example<c@d.example>", Err(AddressError::Trailing)),
        ("a<c@d.example>", Err(AddressError::LocalPart)),
        ("<<a@b.example>>", Err(AddressError::LocalPart)),
        ("a@1.2.3.4", Err(AddressError::Domain(DomainError::Number))),
    ];
    for (text, expected) in table {
        assert_eq!(read(text), expected, "{text}");
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parse_never_panics_and_print_then_parse_is_the_same(text in "\\PC{0,40}") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
            }
        }

        #[test]
        fn likely_addresses_too(text in r#"["@a-c.%!:\\\[\]<> \u{fc}\u{3002}1]{1,12}@?[a-c.\[\]1-9]{0,8}"#) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let printed = mailbox.to_string();
                prop_assert!(!printed.contains(['\r', '\n', '\0']));
                prop_assert_eq!(Mailbox::parse(&printed), Ok(mailbox.clone()));
                let path = format!("<{printed}>");
                prop_assert_eq!(ForwardPath::parse(&path).map(|p| p.path), Ok(ForwardPath::Mailbox(mailbox.clone())));
                prop_assert_eq!(ReversePath::parse(&path), Ok(ReversePath::Mailbox(mailbox)));
            }
        }

        #[test]
        fn any_local_part_survives_its_quoting(text in "[ -~]{0,40}") {
            let mailbox = Mailbox::new(LocalPart::from_unquoted(&text).unwrap(), Domain::parse("d.example").unwrap());
            let parsed = Mailbox::parse(&mailbox.to_string()).unwrap();
            prop_assert_eq!(parsed.local_part.as_str(), &*text);
        }

        #[test]
        fn a_domain_is_normalised_once_and_for_all(text in "\\PC{1,30}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert!(domain.as_str().len() <= DOMAIN_OCTETS_MAX && !domain.as_str().ends_with('.'));
                prop_assert!(!domain.as_str().bytes().any(|b| b.is_ascii_uppercase()));
                prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
            }
        }
    }
}
