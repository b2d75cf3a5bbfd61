//! Any datagram is silence, a reply no longer than itself, or an add that it holds whole; the same in a record, however cut.
#![no_main]

use drac::AddResult;
use drac::portmap::{Asked, Ports, answer};
use drac::record::{Records, put_record};
use drac::server::{Decoded, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let decoded = decode(message);
    match decoded {
        Decoded::Silence => {}
        Decoded::Reply(reply) => assert!(reply.octets().len() <= message.len() && reply.octets()[..4] == message[..4]),
        Decoded::Add(add) => {
            assert!(message.len() >= if add.address().is_ipv4() { 44 } else { 104 });
            assert_eq!(add.address(), add.address().to_canonical());
            assert_eq!(add.reply(AddResult::Succeeded).octets().len(), 28);
        }
    }

    // A stranger's question to the port mapper is answered shortly.
    let ports = Ports { udp: Some(2900), tcp: Some(2900) };
    let asked = Asked { client: [192, 0, 2, 1].into(), local: [192, 0, 2, 2].into(), ports };
    let mut out = Vec::new();
    answer(message, asked, &mut out);
    assert!(out.len() <= message.len() + 52);

    // As a stream it is a stream of records or none; as one record it is itself.
    let (mut records, mut input) = (Records::default(), message);
    while let Ok(Some(_)) = records.take(&mut input) {}
    if !message.is_empty() && message.len() <= 9_000 {
        let mut wire = Vec::new();
        put_record(&mut wire, message);
        let mut records = Records::default();
        let (mut first, mut second) = wire.split_at(wire.len() / 2);
        assert_eq!(records.take(&mut first), Ok(None));
        assert_eq!(records.take(&mut second), Ok(Some(message)));
    }
});
