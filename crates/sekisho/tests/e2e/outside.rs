//! The outside's mail server: takes everything, and keeps every octet as it came.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    /// The RCPT commands.
    pub(crate) rcpts: Vec<String>,
    /// What followed 354, with the end of the data and everything that came with it.
    pub(crate) data: Vec<u8>,
}

/// A running server; its threads end with the test's process.
pub(crate) struct Outside {
    port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl Outside {
    pub(crate) fn start() -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    /// At a place that was chosen before.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let to = Arc::clone(&to);
                // A client that goes away ends only its own conversation.
                std::thread::spawn(move || converse(stream, &to));
            }
        });
        Self { port, taken }
    }

    /// The `--set` that makes it the smarthost.
    pub(crate) fn settings(&self) -> [String; 2] {
        let smarthost = format!("delivery.smarthost={{host=\"127.0.0.1\",port={},tls=\"off\"}}", self.port);
        ["delivery.remote=\"smarthost\"".to_owned(), smarthost]
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it has so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

fn converse(stream: TcpStream, taken: &Mutex<Vec<Taken>>) -> Option<()> {
    let mut answers = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut message = Taken::default();
    answers.write_all(b"220 outside.example ESMTP\r\n").ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let verb = line.split([' ', '\r', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-outside.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "MAIL" => {
                message = Taken::default();
                b"250 ok\r\n"
            }
            "RCPT" => {
                message.rcpts.push(line.trim_end().to_owned());
                b"250 ok\r\n"
            }
            "DATA" => {
                answers.write_all(b"354 go on\r\n").ok()?;
                while !ended(&message.data) {
                    let fresh = reader.fill_buf().ok()?.to_vec();
                    if fresh.is_empty() {
                        return None;
                    }
                    reader.consume(fresh.len());
                    message.data.extend(fresh);
                }
                taken.lock().unwrap().push(std::mem::take(&mut message));
                b"250 taken\r\n"
            }
            "QUIT" => {
                answers.write_all(b"221 bye\r\n").ok()?;
                return Some(());
            }
            _ => b"250 ok\r\n",
        };
        answers.write_all(answer).ok()?;
    }
}

/// The data ends as RFC 5321 §4.1.1.4 has it; a server with another rule would see what it sees in `data`.
fn ended(data: &[u8]) -> bool {
    data == b".\r\n" || data.windows(5).any(|window| window == b"\r\n.\r\n")
}
