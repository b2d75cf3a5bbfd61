//! How long a Berkeley DB file takes to make, and how many look-ups a second it gives:
//! `cargo run --release -p bdb --example bdb_speed`

#![expect(clippy::disallowed_methods, reason = "an example that measures needs the clock")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Instant;

use bdb::{Kind, Reader, write};

fn main() -> Result<(), bdb::BdbError> {
    for kind in [Kind::Btree, Kind::Hash] {
        for count in [1_000_u32, 100_000, 1_000_000] {
            let entries: Vec<(String, String)> = (0..count)
                .map(|n| (Ipv4Addr::from(n.wrapping_mul(2_654_435_761)).to_string(), (1_795_000_000 + n).to_string()))
                .collect();
            let start = Instant::now();
            let image = write(kind, &entries)?;
            let built = start.elapsed();

            let reader = Reader::new(&image)?;
            let start = Instant::now();
            let walked = reader.iter().flatten().count();
            let walk = start.elapsed();

            let start = Instant::now();
            let found =
                entries.iter().filter(|(key, _)| matches!(black_box(reader.get(key.as_bytes())), Ok(Some(_)))).count();
            let look_ups = f64::from(count) / start.elapsed().as_secs_f64();
            assert_eq!((walked, found), (entries.len(), entries.len()));
            println!(
                "{kind:?} {count:>9} entries: built in {built:>9.2?}, {:>6} KiB; walked in {walk:>9.2?}; {look_ups:>9.0} look-ups/s",
                image.len() / 1_024,
            );
        }
    }
    Ok(())
}
