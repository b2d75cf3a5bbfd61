//! What runs beside the listeners for programs that know no better: a file of grants for mail servers that can only read
//! one, and DRAC's place at the port mapper.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bdb::Kind;
use drac::portmap::{PORT, Ports};
use tokio::task::JoinHandle;

use super::border::Border;
use super::interfaces::dracd::bound;
use super::interfaces::dracd::portmapper::{Answerer, Directions, Registration, ports_at};
use super::site::Site;
use super::start_error::StartError;
use config::Rpcbind;
use listen::Address;
use witness::export::{Exporter, Target};

/// All of it, as far as the configuration wants it.
#[derive(Debug, Default)]
pub(super) struct Background {
    exporter: Option<Exporter>,
    answerer: Option<Answerer>,
    registration: Option<Registered>,
}

/// A registration, or one that is being made.
#[derive(Debug)]
struct Registered {
    ports: Ports,
    task: JoinHandle<Registration>,
}

impl Background {
    /// Starts what is wanted.
    pub(super) async fn start(&mut self, border: &Arc<Border>, site: &Site) -> Result<(), StartError> {
        if let Some(export) = &site.settings.relay.export {
            let kind = if export.hash { Kind::Hash } else { Kind::Btree };
            let target = Target { kind, path: export.path.clone() };
            self.exporter = Some(Exporter::start(target, Arc::clone(&border.sources.state)).await?);
        }
        if site.settings.relay.drac.rpcbind == Rpcbind::Answer {
            self.answer(border, site)?;
        }
        self.follow(site);
        Ok(())
    }

    /// Goes by a new configuration.
    pub(super) fn follow(&mut self, site: &Site) {
        if site.settings.relay.drac.rpcbind != Rpcbind::Register {
            return;
        }
        let ports = registered(site);
        let before = self.registration.take_if(|before| Some(before.ports) != ports);
        if let (Some(ports), None) = (ports, &self.registration) {
            let task = tokio::spawn(async move {
                end(before).await;
                Registration::take(ports).await
            });
            self.registration = Some(Registered { ports, task });
        } else if before.is_some() {
            tokio::spawn(end(before));
        }
    }

    fn answer(&mut self, border: &Arc<Border>, site: &Site) -> Result<(), StartError> {
        let mut addresses: Vec<IpAddr> = bound(site).iter().map(SocketAddr::ip).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let border = Arc::clone(border);
        let directions: Directions = Arc::new(move |local| ports_at(local, &bound(&border.site.load())));
        let answerer = Answerer::start(&addresses, &directions).map_err(|(address, error)| StartError::Bind {
            listener: format!("relay.drac.rpcbind = \"answer\" (port {PORT})").into(),
            address: Address::Inet(address),
            error,
        })?;
        self.answerer = Some(answerer);
        Ok(())
    }

    /// Leaves nothing behind that outlives us.
    pub(super) async fn stop(self) {
        drop(self.answerer);
        end(self.registration).await;
        if let Some(exporter) = self.exporter {
            exporter.stop().await;
        }
    }
}

async fn end(registered: Option<Registered>) {
    if let Some(Registered { task, .. }) = registered
        && let Ok(registration) = task.await
    {
        registration.give_back().await;
    }
}

/// The ports to register: rpcbind's old protocol knows one for each transport, of IPv4.
fn registered(site: &Site) -> Option<Ports> {
    let port = bound(site).iter().find(|address| address.is_ipv4())?.port();
    Some(Ports { udp: Some(port), tcp: Some(port) })
}
