//! Servers that only answer: the null server of both protocols, and the sink that counts.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::LocalSet;

use crate::args::Args;
use crate::smtp::message;

/// What came in, for the sink.
#[derive(Default)]
struct Count {
    messages: Cell<u64>,
    last_unix_micros: Cell<u128>,
}

/// What a session of either protocol does with a line: appends its answer.
trait Protocol {
    const GREETING: &'static [u8];
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Next;
    /// A whole message came.
    fn message(&mut self, out: &mut Vec<u8>);
}

enum Next {
    Line,
    Message,
    End,
}

struct Smtp {
    /// `@domain>`; without it everybody is a recipient.
    domain: Option<Rc<[u8]>>,
    count: Rc<Count>,
}

impl Protocol for Smtp {
    const GREETING: &'static [u8] = b"220 null.example ESMTP\r\n";

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Next {
        let answer: &[u8] = match line.first_chunk::<4>().map(|verb| verb.map(|letter| letter.to_ascii_uppercase())) {
            Some([b'E', b'H', b'L', b'O']) => {
                b"250-null.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
            }
            Some([b'R', b'C', b'P', b'T']) if !self.is_ours(line) => b"550 5.7.1 we do not relay\r\n",
            Some([b'D', b'A', b'T', b'A']) => {
                out.extend_from_slice(b"354 go on\r\n");
                return Next::Message;
            }
            Some([b'Q', b'U', b'I', b'T']) => {
                out.extend_from_slice(b"221 2.0.0 bye\r\n");
                return Next::End;
            }
            _ => b"250 2.0.0 ok\r\n",
        };
        out.extend_from_slice(answer);
        Next::Line
    }

    fn message(&mut self, out: &mut Vec<u8>) {
        self.count.messages.set(self.count.messages.get() + 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        self.count.last_unix_micros.set(now);
        out.extend_from_slice(b"250 2.0.0 ok\r\n");
    }
}

impl Smtp {
    fn is_ours(&self, line: &[u8]) -> bool {
        self.domain.as_deref().is_none_or(|domain| line.trim_ascii_end().ends_with(domain))
    }
}

struct Pop3 {
    retr: Rc<[u8]>,
}

impl Protocol for Pop3 {
    const GREETING: &'static [u8] = b"+OK null\r\n";

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Next {
        match line.first_chunk::<4>() {
            Some(b"RETR") => out.extend_from_slice(&self.retr),
            Some(b"STAT") => out.extend_from_slice(b"+OK 10 40960\r\n"),
            Some(b"QUIT") => {
                out.extend_from_slice(b"+OK bye\r\n");
                return Next::End;
            }
            _ => out.extend_from_slice(b"+OK\r\n"),
        }
        Next::Line
    }

    fn message(&mut self, _out: &mut Vec<u8>) {}
}

/// Postfix's policy delegation: an answer for every empty line.
struct Policy;

impl Protocol for Policy {
    const GREETING: &'static [u8] = b"";

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Next {
        if line == b"\n" {
            out.extend_from_slice(b"action=DUNNO\n\n");
        }
        Next::Line
    }

    fn message(&mut self, _out: &mut Vec<u8>) {}
}

/// Answers SMTP, POP3, policy delegation and DRAC until it is killed.
pub async fn null(args: &Args<'_>) -> Result<(), String> {
    let domain: Rc<[u8]> = format!("@{}>", args.required::<String>("domain")?).into_bytes().into();
    let retr: Rc<[u8]> = [b"+OK\r\n".to_vec(), message("load@stranger.example", 4096)].concat().into();
    let count = Rc::new(Count::default());
    let (smtp, pop3) = (listen(args.required("smtp")?)?, listen(args.required("pop3")?)?);
    let (policy, drac) = (listen(args.required("policy")?)?, args.required::<String>("drac")?);
    let tasks = LocalSet::new();
    tasks.spawn_local(accept(policy, || Policy));
    tasks.spawn_local(async move { crate::drac::null(&drac).await });
    tasks.spawn_local(accept(smtp, move || Smtp { domain: Some(Rc::clone(&domain)), count: Rc::clone(&count) }));
    tasks.spawn_local(accept(pop3, move || Pop3 { retr: Rc::clone(&retr) }));
    tasks.await;
    Ok(())
}

/// Takes all mail until it is killed; whoever connects to `--count` reads how many messages came, and when the last did.
pub async fn sink(args: &Args<'_>) -> Result<(), String> {
    let (smtp, teller) = (listen(args.required("smtp")?)?, listen(args.required("count")?)?);
    let count = Rc::new(Count::default());
    let counted = Rc::clone(&count);
    let tasks = LocalSet::new();
    tasks.spawn_local(accept(smtp, move || Smtp { domain: None, count: Rc::clone(&counted) }));
    tasks.spawn_local(async move {
        while let Ok((mut stream, _)) = teller.accept().await {
            let line = format!("{} {}\n", count.messages.get(), count.last_unix_micros.get());
            let _ = stream.write_all(line.as_bytes()).await;
        }
    });
    tasks.await;
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let open = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(4096)
    };
    open().map_err(|error: io::Error| format!("{address}: {error}"))
}

async fn accept<P: Protocol + 'static>(listener: TcpListener, protocol: impl Fn() -> P) {
    // Buffers go from session to session, so that the null server does not measure the allocator.
    let spare = Rc::new(RefCell::new(Vec::new()));
    while let Ok((stream, _)) = listener.accept().await {
        let (protocol, spare) = (protocol(), Rc::clone(&spare));
        tokio::task::spawn_local(async move {
            let buffer = spare.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(8192));
            if let Ok(mut buffer) = serve(stream, protocol, buffer).await {
                buffer.clear();
                spare.borrow_mut().push(buffer);
            }
        });
    }
}

async fn serve<P: Protocol>(mut stream: TcpStream, mut protocol: P, mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
    stream.set_nodelay(true)?;
    stream.write_all(P::GREETING).await?;
    let (mut out, mut next) = (Vec::with_capacity(256), Next::Line);
    while !matches!(next, Next::End) {
        if stream.read_buf(&mut buffer).await? == 0 {
            break;
        }
        let mut taken = 0;
        while let Some(length) = piece(&next, &buffer[taken..]) {
            let octets = &buffer[taken..taken + length];
            taken += length;
            next = match next {
                Next::Message => {
                    protocol.message(&mut out);
                    Next::Line
                }
                _ => protocol.line(octets, &mut out),
            };
        }
        buffer.drain(..taken);
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
    Ok(buffer)
}

/// How long the next line or message is, if it is all there.
fn piece(next: &Next, pending: &[u8]) -> Option<usize> {
    match next {
        Next::Line => pending.iter().position(|octet| *octet == b'\n').map(|at| at + 1),
        Next::Message if pending.starts_with(b".\r\n") => Some(3),
        // The usual case first: nothing is pipelined behind the dot.
        Next::Message if pending.ends_with(b"\r\n.\r\n") => Some(pending.len()),
        Next::Message => pending.windows(5).position(|window| window == b"\r\n.\r\n").map(|at| at + 5),
        Next::End => None,
    }
}
