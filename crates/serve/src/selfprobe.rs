//! Our own relay probes: after the start, after a reload, and daily. One that passes locks relaying down.

use std::sync::Arc;
use std::time::Duration;

use config::RelayMode;
use directory::SecretsKept;
use probe::selfprobe::{Way, WayKind, play};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::aside::aside;
use crate::border::Border;
use crate::site::Site;

const DAY: Duration = Duration::from_hours(24);
/// Between two looks at whether the configuration is another one.
const LOOK: Duration = Duration::from_secs(5);

/// Plays them until the server stops.
pub(crate) async fn follow(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    let mut next = Instant::now() + border.site.load().settings.relay.self_probe_after;
    let mut version = border.site.load().terms.policy.version;
    loop {
        tokio::select! {
            () = sleep_until(next.min(Instant::now() + LOOK)) => {}
            _ = stop.changed() => return,
        }
        let site = border.site.load_full();
        if Instant::now() < next && site.terms.policy.version == version {
            continue;
        }
        (next, version) = (Instant::now() + DAY, site.terms.policy.version);
        let probed = play(&border.sources, &site.terms, &ways(&site)).await;
        let sources = Arc::clone(&border.sources);
        if let Err(error) = aside("relay lock", move || sources.relay_lock.probed(probed)).await {
            warn!(%error, "lock unwritten");
        }
    }
}

/// The listeners by which a stranger's mail can come in.
fn ways(site: &Site) -> Vec<Way> {
    let listeners = site.listeners.iter().filter_map(|listener| {
        let set = &listener.settings;
        let kind = match set.protocol {
            protocol if protocol.is_smtp() => WayKind::Session,
            _ if set.relay == RelayMode::Permit => WayKind::Asked,
            _ => return None,
        };
        let kept = SecretsKept { scram: false, devices: false, devices_everywhere: false };
        Some(Way { name: Arc::clone(&set.name), config: Arc::clone(listener.smtp.to(kept)), kind })
    });
    listeners.collect()
}
