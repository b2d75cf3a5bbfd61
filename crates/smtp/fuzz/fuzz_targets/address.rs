//! An address that parses prints as one that parses to the same, and hides no control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Domain, ForwardPath, Host, Mailbox, ReversePath};

fuzz_target!(|text: &str| {
    if let Ok(mailbox) = Mailbox::parse(text) {
        let printed = mailbox.to_string();
        assert!(!printed.chars().any(char::is_control));
        assert_eq!(Mailbox::parse(&printed).as_ref(), Ok(&mailbox));
        let _ = mailbox.routing();
    }
    if let Ok(path) = ReversePath::parse(text) {
        assert_eq!(ReversePath::parse(&path.to_string()), Ok(path));
    }
    if let Ok(parsed) = ForwardPath::parse(text) {
        let again = ForwardPath::parse(&parsed.path.to_string()).expect("what was printed");
        assert_eq!(again.path, parsed.path);
        assert!(!again.had_source_route);
    }
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
    }
    if let Some(host) = Host::parse_greeting(text) {
        assert!(host.to_string().bytes().all(|b| b.is_ascii_graphic()));
    }
});
