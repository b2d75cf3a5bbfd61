//! Notes where the chain of relayed messages stands, away from its files: in the log, and in the file of `relay.record.head_file`.

use std::sync::Arc;
use std::time::Duration;

use keep::NewFile;
use keep::chain::Head;
use tokio::sync::watch;
use tracing::{error, info};

use super::aside::aside;
use super::border::Border;

/// How often.
const EVERY: Duration = Duration::from_hours(1);

/// Until the server stops.
pub(super) async fn follow(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    let mut noted = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => noted = note(&border, noted).await,
            _ = stop.changed() => return,
        }
    }
}

/// Notes it, unless it stands where it was noted last.
pub(super) async fn note(border: &Border, noted: Option<Head>) -> Option<Head> {
    let head = border.spool.relayed_head().await.filter(|head| head.sequence > 0)?;
    if noted == Some(head) {
        return noted;
    }
    info!(head = %head, "relay chain");
    if let Some(path) = border.site.load().settings.relay.record.head_file.clone() {
        let octets = format!("{head}\n");
        let written = aside("relay.record.head_file", move || {
            NewFile { path: &path, octets: octets.as_bytes(), mode: 0o600, owner: None }.replace()
        });
        let error = match written.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = error {
            error!(%error, note = "the log has it", "chain unnoted");
        }
    }
    Some(head)
}
