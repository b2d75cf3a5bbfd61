//! A guard that says what a test wants, for what the real one never says.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Answers to `relay` that are none: whoever asked must put the mail off. `""` closes without a word.
pub(crate) const NO_ANSWERS: [&str; 7] =
    ["", "3:OK ", "OK ", "16:TEMP state: away,", "8:TIMEOUT ,", "16:PERM no such map,", "8:OK"];

/// It answers `connect` and `relay` as it was told, and every other map by `NOTFOUND`.
pub(crate) struct Guard {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Guard {
    /// One that talks to everybody.
    pub(crate) fn start(relay: &str) -> Self {
        Self::answering("9:NOTFOUND ,", relay)
    }

    /// One that does not, with these words.
    pub(crate) fn start_refusing(words: &str) -> Self {
        Self::answering(&format!("{}:OK {words},", words.len() + 3), "3:OK ,")
    }

    fn answering(connect: &str, relay: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, connect, relay) = (Arc::clone(&asked), connect.to_owned(), relay.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer_all(stream, (&connect, &relay), &kept);
            }
        });
        Self { port, asked }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every question so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers until the other side has closed, or an answer was none.
fn answer_all(mut stream: TcpStream, (connect, relay): (&str, &str), asked: &Mutex<Vec<String>>) -> Option<()> {
    loop {
        let question = question(&mut stream)?;
        let answer = match question.split_once(' ')? {
            ("connect", _) => connect,
            ("relay", _) => relay,
            _ => "9:NOTFOUND ,",
        };
        asked.lock().unwrap().push(question);
        stream.write_all(answer.as_bytes()).ok()?;
        if !answer.ends_with(',') {
            return None;
        }
    }
}

/// A netstring without its length.
fn question(stream: &mut TcpStream) -> Option<String> {
    let mut length = String::new();
    while !length.ends_with(':') {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        length.push(octet[0].into());
    }
    let mut octets = vec![0; length.trim_end_matches(':').parse::<usize>().ok()? + 1];
    stream.read_exact(&mut octets).ok()?;
    assert_eq!(octets.pop(), Some(b','));
    String::from_utf8(octets).ok()
}
