//! Any line is a command or has a reply of one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::command::{Command, Syntax};

fuzz_target!(|line: &[u8]| {
    for syntax in [Syntax::Lenient, Syntax::Strict] {
        if let Err(error) = Command::parse(line, syntax.into()) {
            let mut wire = Vec::new();
            error.reply().write_to(&mut wire);
            assert!(wire.ends_with(b"\r\n") && wire.len() <= 512);
            assert_eq!(wire.iter().filter(|b| matches!(b, b'\r' | b'\n')).count(), 2);
        }
    }
});
