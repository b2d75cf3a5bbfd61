//! Any split of a text reads the same, and what is kept without fault has no lone CR, LF or NUL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::dot::{Fault, Framing, TextLimits, TextReader};

/// What is kept, what is wrong, and where the text ends.
fn read(framing: Framing, pieces: &[&[u8]]) -> (Vec<u8>, Option<Fault>, Option<usize>) {
    let mut reader = TextReader::new(framing, TextLimits { line_octets: 100, message_octets: 1000 });
    let mut out = Vec::new();
    let mut used = 0;
    for piece in pieces {
        let progress = reader.read(piece, &mut out);
        used += progress.used;
        if progress.ended {
            return (out, reader.fault(), Some(used));
        }
    }
    reader.finish(&mut out);
    (out, reader.fault(), None)
}

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (framing, at, octets) = input;
    let framing = if framing % 2 == 0 { Framing::Dots } else { Framing::Octets };
    let (head, tail) = octets.split_at(usize::from(at).min(octets.len()));
    let whole = read(framing, &[octets]);
    let split = read(framing, &[head, tail]);
    assert_eq!((whole.1, whole.2), (split.1, split.2));
    if whole.1.is_none() {
        assert_eq!(whole.0, split.0);
        let text = String::from_utf8_lossy(&whole.0).replace("\r\n", "");
        assert!(whole.2.is_none() || !text.contains(['\r', '\n', '\0']));
    }
});
