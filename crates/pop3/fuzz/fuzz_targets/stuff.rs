//! Only the end of a message ends it, over any split.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3::stuff::DotWriter;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    let lines = (first & 1 == 1).then_some(u32::from(first >> 4));
    let whole = sent(lines, text, text.len().max(1));
    assert_eq!(whole, sent(lines, text, usize::from(first >> 1 & 7) + 1));
    let end = whole.windows(5).position(|window| window == b"\r\n.\r\n").map_or(3, |at| at + 5);
    assert_eq!(end, whole.len());
});

fn sent(lines: Option<u32>, text: &[u8], piece_octets: usize) -> Vec<u8> {
    let (mut writer, mut out) = (DotWriter::new(lines), Vec::new());
    for piece in text.chunks(piece_octets) {
        writer.push(piece, &mut out);
    }
    writer.finish(&mut out);
    out
}
