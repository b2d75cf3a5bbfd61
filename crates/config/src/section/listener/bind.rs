//! `listener.bind` and `listener.socket_mode`: the sockets.

use super::Protocol;
use crate::reading::Reading;
use crate::value;
use std::{net::SocketAddr, path::PathBuf};

/// Where a listener listens.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) inet: Vec<SocketAddr>,
    pub(super) unix: Vec<PathBuf>,
}

pub(super) fn meant(texts: &[String], protocol: Protocol, path: &str, reading: &mut Reading<'_>) -> Bound {
    let mut bound = Bound::default();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}.bind[{index}]");
        if let Some(socket) = text.strip_prefix("unix:") {
            if !has_unix(protocol) || socket.is_empty() {
                let message = format!("`{path}`: {} does not listen at Unix sockets", protocol.name());
                reading.wrong(&path, message, "ADDRESS:PORT");
            }
            bound.unix.push(reading.below(socket));
            continue;
        }
        let address = reading.parsed(&path, value::socket_addr(text, None));
        if address.is_some_and(|address| address.port() == 0) {
            reading.wrong(&path, format!("`{path}`: nobody would find port 0"), "as in \"0.0.0.0:25\"");
        }
        bound.inet.extend(address);
    }
    bound
}

fn has_unix(protocol: Protocol) -> bool {
    protocol.is_interface() && protocol != Protocol::Dracd
}

pub(super) fn socket_mode(text: &str, path: &str, reading: &mut Reading<'_>) -> u32 {
    let mode = value::permissions(text);
    if mode.is_none() {
        reading.wrong(&format!("{path}.socket_mode"), format!("`{path}.socket_mode` is octal permissions"), "\"0660\"");
    }
    mode.unwrap_or(0o600)
}
