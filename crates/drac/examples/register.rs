//! Registers DRAC's ports with the rpcbind of this machine, or takes the registration away, for trying it out:
//! `register UDP-PORT TCP-PORT` and `register --remove UDP-PORT TCP-PORT`.

use std::error::Error;

use drac::client::WITHIN;
use drac::portmap::Ports;
use drac::rpcbind::{RPCBIND, register, unregister};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let remove = arguments.first().is_some_and(|first| first == "--remove");
    let [udp, tcp] = &arguments[usize::from(remove)..] else { return Err("usage: register [--remove] UDP TCP".into()) };
    let ports = Ports { udp: Some(udp.parse()?), tcp: Some(tcp.parse()?) };
    let change = if remove { unregister } else { register };
    Ok(change(RPCBIND, ports, WITHIN)?)
}
