//! How clients find DRAC's port: they ask port 111. There is the rpcbind of this machine, with which we register; or there
//! is none, and we answer ourselves, for DRAC alone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drac::portmap::{self, Asked, Ports};
use drac::record::{Records, put_record};
use drac::rpcbind::{self, RPCBIND};
use drac::server::DATAGRAM_OCTETS_MAX;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use listen::socket;

/// How long rpcbind may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Connections that ask at once.
const CONNECTIONS_MAX: usize = 64;
/// How long one may take for its questions.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// When the system gives no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// An entry with the rpcbind of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration(Ports);

impl Registration {
    /// Registers, in place of whatever was there. Without rpcbind the service goes on: clients may know the port.
    pub async fn take(ports: Ports) -> Self {
        match blocking(move || rpcbind::register(RPCBIND, ports, WITHIN)).await {
            Ok(()) => info!(udp = ports.udp, tcp = ports.tcp, "rpcbind registered"),
            Err(cause) => warn!(cause, note = "clients must know the port", "rpcbind unavailable"),
        }
        Self(ports)
    }

    /// For these ports.
    pub fn ports(self) -> Ports {
        self.0
    }

    /// Takes it away, if it is still ours.
    pub async fn give_back(self) {
        if let Err(cause) = blocking(move || rpcbind::unregister(RPCBIND, self.0, WITHIN)).await {
            debug!(cause, "rpcbind unreleased");
        }
    }
}

async fn blocking(ask: impl FnOnce() -> Result<(), rpcbind::RegisterError> + Send + 'static) -> Result<(), String> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.map_err(|error| error.to_string()).and_then(|asked| asked.map_err(|error| error.to_string()))
}

/// Where DRAC is, seen from one of our addresses.
pub type Directions = Arc<dyn Fn(IpAddr) -> Ports + Send + Sync>;

/// Answers on port 111; ends with this value.
#[derive(Debug)]
pub struct Answerer {
    tasks: Vec<JoinHandle<()>>,
}

impl Answerer {
    /// Binds port 111 at each address, or says which it could not have.
    pub fn start(addresses: &[IpAddr], directions: &Directions) -> Result<Self, (SocketAddr, io::Error)> {
        let at = |ip: &IpAddr| SocketAddr::new(*ip, portmap::PORT);
        Self::start_at(&addresses.iter().map(at).collect::<Vec<_>>(), directions)
    }

    fn start_at(addresses: &[SocketAddr], directions: &Directions) -> Result<Self, (SocketAddr, io::Error)> {
        let mut answerer = Self { tasks: Vec::new() };
        for address in addresses {
            let udp = socket::datagrams(*address).map_err(|error| (*address, error))?;
            let tcp = socket::listen(*address).map_err(|error| (*address, error))?;
            answerer.tasks.push(tokio::spawn(datagrams(udp, address.ip(), Arc::clone(directions))));
            answerer.tasks.push(tokio::spawn(connections(tcp, Arc::clone(directions))));
            info!(%address, "portmap listening");
        }
        Ok(answerer)
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn datagrams(socket: UdpSocket, local: IpAddr, directions: Directions) {
    let mut buffer = vec![0; DATAGRAM_OCTETS_MAX];
    let mut out = Vec::new();
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((octets, peer)) => {
                let asked = Asked { client: guard::canonical_ip(peer.ip()), local, ports: directions(local) };
                out.clear();
                portmap::answer(&buffer[..octets], asked, &mut out);
                if !out.is_empty() {
                    // One that finds no room is lost, as on the way; the client asks again.
                    let _ = socket.try_send_to(&out, peer);
                }
            }
            Err(error) => {
                debug!(%error, "datagram lost");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn connections(socket: TcpListener, directions: Directions) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match socket.accept().await {
            Ok((tcp, peer)) => {
                let directions = Arc::clone(&directions);
                tokio::spawn(async move {
                    let served = tokio::time::timeout(CONNECTION_WAIT, connection(tcp, peer.ip(), &directions)).await;
                    debug!(%peer, ?served, "portmap closed");
                    drop(place);
                });
            }
            Err(error) => {
                debug!(%error, "portmap failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(mut tcp: TcpStream, peer: IpAddr, directions: &Directions) -> io::Result<()> {
    let local = guard::canonical_ip(tcp.local_addr()?.ip());
    let mut records = Records::default();
    let mut buffer = [0; 1024];
    loop {
        let octets = tcp.read(&mut buffer).await?;
        if octets == 0 {
            return Ok(());
        }
        let (mut input, mut out) = (&buffer[..octets], Vec::new());
        while let Some(record) = records.take(&mut input).map_err(io::Error::other)? {
            let asked = Asked { client: guard::canonical_ip(peer), local, ports: directions(local) };
            let mut reply = Vec::new();
            portmap::answer(record, asked, &mut reply);
            if reply.is_empty() {
                return Ok(());
            }
            put_record(&mut out, &reply);
        }
        tcp.write_all(&out).await?;
    }
}

/// Where a client of `local` finds DRAC among these addresses: at just that one, or where it listens at every one.
pub fn ports_at(local: IpAddr, bound: &[SocketAddr]) -> Ports {
    let same = bound.iter().find(|address| address.ip() == local);
    let every = || bound.iter().find(|address| address.ip().is_unspecified() && address.is_ipv4() == local.is_ipv4());
    let port = same.or_else(every).map(SocketAddr::port);
    Ports { udp: port, tcp: port }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_led_to_the_address_that_it_asked() {
        let bound: Vec<SocketAddr> =
            ["127.0.0.1:2900", "0.0.0.0:2901", "[::1]:2902"].iter().map(|text| text.parse().unwrap()).collect();
        for (local, port) in
            [("127.0.0.1", Some(2900)), ("192.0.2.1", Some(2901)), ("::1", Some(2902)), ("2001:db8::1", None)]
        {
            assert_eq!(ports_at(local.parse().unwrap(), &bound).udp, port, "{local}");
        }
    }

    /// The recorded question of a client, GETPORT of version 1, over both transports.
    #[tokio::test]
    async fn the_port_is_told_over_udp_and_tcp() {
        let directions: Directions = Arc::new(|_| Ports { udp: Some(2900), tcp: Some(2900) });
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _answerer = Answerer::start_at(&[free], &directions).unwrap();
        let words: [u32; 14] = [7, 0, 2, 100_000, 2, 3, 0, 0, 0, 0, drac::PROGRAM, 1, 17, 0];
        let question: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut reply = [0; 64];
        udp.send_to(&question, free).await.unwrap();
        let octets = udp.recv(&mut reply).await.unwrap();
        assert_eq!(reply[octets - 4..octets], 2900_u32.to_be_bytes());
        let mut tcp = TcpStream::connect(free).await.unwrap();
        let mut wire = Vec::new();
        put_record(&mut wire, &question);
        for piece in wire.chunks(30) {
            tcp.write_all(piece).await.unwrap();
        }
        let mut reply = [0; 32];
        tcp.read_exact(&mut reply).await.unwrap();
        assert_eq!(reply[28..], 2900_u32.to_be_bytes());
    }

    #[tokio::test]
    async fn without_rpcbind_the_service_goes_on() {
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ports = Ports { udp: Some(1), tcp: Some(1) };
        let failed = blocking(move || rpcbind::register(nobody, ports, WITHIN)).await.unwrap_err();
        assert!(!failed.is_empty());
    }
}
