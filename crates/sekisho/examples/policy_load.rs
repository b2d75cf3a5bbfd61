//! Asks a policy server as fast as it answers: `policy_load ADDRESS [CONNECTIONS [REQUESTS-AT-ONCE [SECONDS [RECIPIENT]]]]`.
#![expect(clippy::unwrap_used, reason = "an example: what fails here ends it")]

use std::env::args;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

/// One request as Postfix sends it at RCPT.
fn request(recipient: &str, instance: u64) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n\
         client_name=client.example.net\nclient_port=48012\nreverse_client_name=client.example.net\n\
         server_address=192.0.2.25\nserver_port=25\nhelo_name=client.example.net\nsender=x@outside.example\n\
         recipient={recipient}\nrecipient_count=0\nqueue_id=\ninstance=5b2f.674011a2.{instance:x}.0\nsize=4096\n\
         etrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n\
         ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n\
         encryption_keysize=0\npolicy_context=\ncompatibility_level=3.6\nmail_version=3.7.11\n\n"
    )
}

fn argument<T: FromStr>(n: usize, default: T) -> T
where
    T::Err: Display,
{
    args().nth(n).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// Answers end in an empty line; how many there were until the time is over.
fn ask(address: &str, (at_once, recipient): (u64, &str), (first, end): (u64, Instant)) -> u64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut asked, mut heard) = (first, vec![0; 65_536]);
    let mut answered = 0;
    while Instant::now() < end {
        let requests: String = (0..at_once).map(|n| request(recipient, asked + n)).collect();
        asked += at_once;
        stream.write_all(requests.as_bytes()).unwrap();
        let (mut waiting, mut last) = (at_once, 0);
        while waiting > 0 {
            let octets = stream.read(&mut heard).unwrap();
            assert!(octets > 0, "the server has closed");
            for &octet in &heard[..octets] {
                waiting -= u64::from(octet == b'\n' && last == b'\n');
                last = octet;
            }
        }
        answered += at_once;
    }
    answered
}

fn main() {
    let address = args().nth(1).unwrap_or_else(|| "127.0.0.1:10031".to_owned());
    let (connections, at_once, seconds) = (argument(2, 4_u64), argument(3, 20), argument(4, 5));
    let recipient = args().nth(5).unwrap_or_else(|| "alice@example.test".to_owned());
    let (begun, end) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let answered: u64 = thread::scope(|scope| {
        let ask = |n: u64| ask(&address, (at_once, &recipient), (n << 40, end));
        let threads: Vec<_> = (0..connections).map(|n| scope.spawn(move || ask(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let nanos = begun.elapsed().as_nanos();
    println!("{} requests/s", u128::from(answered) * 1_000_000_000 / nanos);
}
