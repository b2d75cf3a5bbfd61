//! A DRAC server for tests, over UDP and TCP on one port of loopback, and the running of other programs.

// Each test program uses its part of this.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use drac::AddResult;
use drac::record::{Records, put_record};
use drac::server::{Decoded, decode};
use guard::never_granted::{Loopback, NeverGranted};

/// Serves until the test's process ends.
pub(crate) struct Server {
    /// Of both sockets.
    pub(crate) port: u16,
    added: Receiver<IpAddr>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let (udp, tcp) = sockets();
        let port = udp.local_addr().unwrap().port();
        let (tell, added) = channel();
        let tell_tcp = tell.clone();
        thread::spawn(move || serve_udp(&udp, &tell));
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let tell = tell_tcp.clone();
                thread::spawn(move || serve_tcp(stream.unwrap(), &tell));
            }
        });
        Self { port, added }
    }

    /// What was added since it was asked last.
    pub(crate) fn added(&self) -> Vec<String> {
        self.added.try_iter().map(|address| address.to_string()).collect()
    }
}

/// One port, free for both.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn answer(message: &[u8], tell: &Sender<IpAddr>) -> Option<Vec<u8>> {
    let reply = match decode(message) {
        Decoded::Silence => return None,
        Decoded::Reply(reply) => reply,
        Decoded::Add(add) if NeverGranted::new(Loopback::Refused, []).why(add.address()).is_some() => {
            add.reply(AddResult::SystemError)
        }
        Decoded::Add(add) => {
            tell.send(add.address()).unwrap();
            add.reply(AddResult::Succeeded)
        }
    };
    Some(reply.octets().to_vec())
}

fn serve_udp(socket: &UdpSocket, tell: &Sender<IpAddr>) {
    let mut buffer = [0; 9_000];
    loop {
        let (octets, peer) = socket.recv_from(&mut buffer).unwrap();
        if let Some(reply) = answer(&buffer[..octets], tell) {
            socket.send_to(&reply, peer).unwrap();
        }
    }
}

fn serve_tcp(mut stream: TcpStream, tell: &Sender<IpAddr>) {
    let (mut records, mut buffer) = (Records::default(), [0; 512]);
    loop {
        let octets = stream.read(&mut buffer).unwrap();
        let mut input = &buffer[..octets];
        while let Some(message) = records.take(&mut input).unwrap() {
            let mut out = Vec::new();
            put_record(&mut out, &answer(message, tell).unwrap());
            stream.write_all(&out).unwrap();
        }
        if octets == 0 {
            return;
        }
    }
}

/// Runs a program that must succeed; its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; is its package installed?"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
