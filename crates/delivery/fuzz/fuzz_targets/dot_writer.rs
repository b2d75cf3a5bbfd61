//! Any message in any pieces: only CRLF leaves, and the end of the data stands at the end alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::client::DotWriter;

fuzz_target!(|data: &[u8]| {
    let Some((first, message)) = data.split_first() else { return };
    let (mut dots, mut wire) = (DotWriter::default(), b"\r\n".to_vec());
    for piece in message.chunks(usize::from(*first) + 1) {
        dots.write(piece, &mut wire);
    }
    dots.finish(&mut wire);
    for (at, octet) in wire.iter().enumerate() {
        match octet {
            b'\r' => assert_eq!(wire.get(at + 1), Some(&b'\n')),
            b'\n' => assert_eq!(wire[at - 1], b'\r'),
            _ => {}
        }
    }
    let end = wire.windows(5).position(|five| five == b"\r\n.\r\n");
    assert_eq!(end, Some(wire.len() - 5));
});
