//! Adds an address to a DRAC server, for trying it out: `add SERVER[:PORT] ADDRESS`.

use std::error::Error;

use drac::client::{Target, WITHIN, add};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, address] = arguments.as_slice() else { return Err("usage: add SERVER[:PORT] ADDRESS".into()) };
    println!("{:?}", add(&Target::parse(server), address.parse()?, WITHIN)?);
    Ok(())
}
