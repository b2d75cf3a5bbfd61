//! A hostile client in every state of every mechanism: no panic, and nothing proved without the caller's yes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::{Context, Exchange, Mechanism, PasswordVerdict, Step, StoredSecret};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(*first) % Mechanism::ALL.len()];
    let context = Context {
        hostname: "mx.example.test".into(),
        channel_binding: (first & 0x20 != 0).then(|| vec![0xcb; 32]),
        plus_offered: first & 0x40 != 0,
        nonce: [7; 24],
        unix_secs: 0,
        decoy_key: [9; 32],
    };
    let mut exchange = Exchange::new(mechanism, context);
    let mut turns = rest.split(|octet| *octet == b'\n');
    let mut step = exchange.start(if first & 0x80 != 0 { turns.next() } else { None });
    for turn in turns {
        step = match step {
            Step::Challenge(_) => exchange.respond(turn),
            Step::NeedPassword { authzid, login, password } => {
                assert!(!login.is_empty() && login.len() <= 255 && !password.is_empty());
                assert!(authzid.is_empty() || authzid.eq_ignore_ascii_case(&login));
                exchange.password_checked(PasswordVerdict::Wrong)
            }
            Step::NeedSecret { .. } => exchange.secret("user", Some(vec![StoredSecret::Clear("never".into())])),
            Step::Done { .. } => panic!("proved by {mechanism}"),
            Step::Failed(_) => return assert!(matches!(exchange.respond(turn), Step::Failed(_))),
        };
    }
});
