//! `sekisho backup` and `sekisho restore`, as they are typed.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `sekisho backup`
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Where to: a file if it ends in .tar.gz, .tgz or .tar, else a folder
    #[arg(value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub to: PathBuf,
    /// Include the mailboxes
    #[arg(long)]
    pub mail: bool,
    /// Include the server's keys, sealed with the passphrase that is the first line of this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Replace a backup that is there, once the new one is complete
    #[arg(long)]
    pub replace: bool,
}

/// `sekisho restore`
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR|FILE", value_hint = ValueHint::AnyPath, required_unless_present = "release_queue")]
    pub from: Option<PathBuf>,
    /// Put everything below this folder, instead of where the configuration says
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub into: Option<PathBuf>,
    /// Open the keys in the backup with the passphrase that is the first line of this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Restore although the server's key is lost: every device is revoked
    #[arg(long)]
    pub without_key: bool,
    /// Put aside what is there
    #[arg(long)]
    pub replace: bool,
    /// Let the running server deliver the restored queue
    #[arg(long, conflicts_with_all = ["from", "into", "passphrase_file", "without_key", "replace"])]
    pub release_queue: bool,
}
