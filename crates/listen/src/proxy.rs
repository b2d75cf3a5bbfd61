//! The PROXY header (versions 1 and 2) of a load balancer in front of us.
//!
//! Read only from the addresses that the listener lists (`proxy_from`), and from those it must come: a listed balancer's own
//! address never gets any trust, so a connection without a client address in its header (LOCAL, UNKNOWN, UNSPEC) is closed.

use std::io;
use std::net::IpAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest version 1 header, in octets with its CRLF.
const VERSION_1_OCTETS_MAX: usize = 107;
/// The longest part of a version 2 header behind its length field, in octets: addresses and a few TLVs.
const VERSION_2_REST_OCTETS_MAX: usize = 1024;

/// Why there is no client behind the header.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection broke.
    #[error("reading the PROXY header: {0}")]
    Io(#[from] io::Error),
    /// What came is no PROXY header.
    #[error("a PROXY header was due from this address and did not come")]
    Missing,
    /// It names no client.
    #[error("the PROXY header names no client (LOCAL or UNKNOWN)")]
    NoClient,
}

/// Reads exactly the header and returns the client that it names; what follows stays in the socket.
pub async fn client_behind(stream: &mut TcpStream) -> Result<IpAddr, ProxyError> {
    let mut header = Vec::with_capacity(VERSION_1_OCTETS_MAX);
    header.push(stream.read_u8().await?);
    match header[0] {
        b'P' => read_version_1(stream, &mut header).await?,
        b'\r' => read_version_2(stream, &mut header).await?,
        _ => return Err(ProxyError::Missing),
    }
    let (parsed, _) = ProxyHeader::parse(&header, ParseConfig::default()).map_err(|_| ProxyError::Missing)?;
    let client = parsed.proxied_address().map(|proxied| proxied.source.ip());
    client.map(guard::canonical_ip).ok_or(ProxyError::NoClient)
}

/// A text line; octet by octet, so that nothing behind it is taken.
async fn read_version_1(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyError> {
    while !header.ends_with(b"\n") {
        if header.len() == VERSION_1_OCTETS_MAX {
            return Err(ProxyError::Missing);
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Twelve octets of signature, two of command and family, two of length, then the rest.
async fn read_version_2(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyError> {
    header.resize(16, 0);
    stream.read_exact(&mut header[1..]).await?;
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if rest > VERSION_2_REST_OCTETS_MAX {
        return Err(ProxyError::Missing);
    }
    header.resize(16 + rest, 0);
    stream.read_exact(&mut header[16..]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    async fn behind(sent: &'static [u8]) -> (Result<IpAddr, ProxyError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sender = tokio::spawn(async move {
            let mut tcp = TcpStream::connect(address).await.unwrap();
            for piece in sent.chunks(7) {
                tcp.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            tcp.shutdown().await.unwrap();
            tcp
        });
        let (mut tcp, _) = listener.accept().await.unwrap();
        let client = client_behind(&mut tcp).await;
        let _held = sender.await.unwrap();
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
        (client, rest)
    }

    #[tokio::test]
    async fn version_1_names_the_client_and_leaves_the_rest() {
        let (client, rest) = behind(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 25\r\nEHLO x\r\n").await;
        assert_eq!(client.unwrap(), IpAddr::from([192, 0, 2, 7]));
        assert_eq!(rest, b"EHLO x\r\n");
    }

    #[tokio::test]
    async fn version_2_names_the_client() {
        let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\x7f\0\0\x01\x9c\x40\0\x19NOOP\r\n";
        let (client, rest) = behind(header).await;
        assert_eq!(client.unwrap(), IpAddr::from([192, 0, 2, 9]));
        assert_eq!(rest, b"NOOP\r\n");
    }

    #[tokio::test]
    async fn t06_local_unknown_and_missing_headers_give_no_client() {
        let (unknown, _) = behind(b"PROXY UNKNOWN\r\nEHLO x\r\n").await;
        assert!(matches!(unknown, Err(ProxyError::NoClient)), "{unknown:?}");
        let (local, _) = behind(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0EHLO x\r\n").await;
        assert!(matches!(local, Err(ProxyError::NoClient)), "{local:?}");
        let (missing, _) = behind(b"EHLO stranger.example\r\n").await;
        assert!(matches!(missing, Err(ProxyError::Missing)), "{missing:?}");
        let (cut, _) = behind(b"PROXY TCP4 192.0.2.7").await;
        assert!(cut.is_err(), "{cut:?}");
    }
}
