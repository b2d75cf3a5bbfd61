//! Messages of 4 KiB into one Maildir, durably: `cargo bench -p maildir [-- DIR]`. Compare within one run only.

use maildir::{Attempt, Delivery, DeliveryKey, Maildrop, Order, Quota};
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() {
    let parent = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let dir = tempfile::tempdir_in(parent.unwrap_or_else(std::env::temp_dir)).expect("a directory to write to");
    let delivery = Delivery::new("bench.example.test");
    let message = b"0123456789012345678901234567890123456789012345678901234567890\r\n".repeat(65);
    for batch_messages in [1, 8, 64, 256] {
        let maildir = dir.path().join(batch_messages.to_string());
        maildir::create(&maildir).expect("a new Maildir");
        let (began, mut done) = (Instant::now(), 0usize);
        while began.elapsed() < Duration::from_secs(2) {
            let batch = (done..done + batch_messages).map(|number| {
                let queue_id = number.to_string();
                let key = DeliveryKey { queue_id: &queue_id, recipient: 0, arrived_at_unix_micros: number as u64 };
                let order =
                    Order { maildir: &maildir, key, attempt: Attempt::First, quota: Quota::NONE, head: b"A: b\r\n" };
                delivery.write(&order, &mut &message[..]).expect("written")
            });
            let results = delivery.commit(batch.collect());
            assert!(results.iter().all(Result::is_ok), "all delivered");
            done += batch_messages;
        }
        println!("batches of {batch_messages:3}: {:8} messages/s", done as u128 * 1000 / began.elapsed().as_millis());
        for what in ["first", "second"] {
            let began = Instant::now();
            let drop = Maildrop::open(&maildir).expect("opens");
            println!("  {what} opening of {} messages: {:?}", drop.entries().len(), began.elapsed());
        }
    }
}
