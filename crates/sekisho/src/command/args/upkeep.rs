//! `sekisho reload`, `sekisho key`.

use clap::{Args, Subcommand};

/// `sekisho reload`
#[derive(Debug, Clone, Args)]
pub struct Reload {
    /// Put the configuration in force that was so before the last change; the file stays as it is
    #[arg(long)]
    pub rollback: bool,
}

/// `sekisho key`
#[derive(Debug, Clone, Subcommand)]
pub enum Key {
    /// Make a new server key, and seal every device's secret with it; no server may run
    ///
    /// Devices, accounts and their passwords stay as they are. A rotation that is broken off leaves accounts that can be read. Earlier
    /// backups need the earlier key: make a new backup afterwards.
    Rotate,
}
