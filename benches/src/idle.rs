//! Connections that greet and then do nothing, to see what one costs.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::args::Args;
use crate::load::loopback;
use crate::wire::{Bad, Wire};

/// So many are being opened at a time.
const OPENING_MAX: usize = 64;

/// Opens the connections, each after its EHLO, says so in one line of JSON, and holds them until standard input ends.
pub async fn run(args: &Args<'_>) -> Result<(), String> {
    let (server, count): (SocketAddr, u32) = (args.required("server")?, args.required("connections")?);
    let per_source = args.optional::<u32>("per-source")?.unwrap_or(10).max(1);
    let opening = Rc::new(Semaphore::new(OPENING_MAX));
    let tasks = LocalSet::new();
    let handles: Vec<_> = (0..count)
        .map(|index| {
            let opening = Rc::clone(&opening);
            tasks.spawn_local(async move {
                let _permit = opening.acquire().await;
                open(server, index / per_source).await
            })
        })
        .collect();
    tasks.await;
    let (mut held, mut first_bad) = (Vec::new(), String::new());
    for handle in handles {
        match handle.await {
            Ok(Ok(stream)) => held.push(stream),
            Ok(Err(bad)) if first_bad.is_empty() => first_bad = bad.to_string().replace(['"', '\\'], "'"),
            _ => {}
        }
    }
    println!(
        "{{\"unit\":\"connections\",\"good\":{},\"bad\":{},\"first_bad\":\"{first_bad}\"}}",
        held.len(),
        count as usize - held.len()
    );
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    let alive = held.iter().filter(|stream| is_open(stream)).count();
    println!("{{\"unit\":\"connections\",\"good\":{alive}}}");
    Ok(())
}

async fn open(server: SocketAddr, source: u32) -> Result<TcpStream, Bad> {
    let mut wire = Wire::connect(server, Some(loopback(source)), Vec::new()).await?;
    wire.expect("220").await?;
    wire.ask(b"EHLO load.example\r\n", "250").await?;
    Ok(wire.into_parts().0)
}

/// Whether the server has said or closed nothing in the meantime.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
