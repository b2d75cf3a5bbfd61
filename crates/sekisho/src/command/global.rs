//! What every command takes: which configuration, and how its answer is printed.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file [default: /etc/sekisho/sekisho.toml]
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Override a key of the configuration, for example relay.pop.minutes=10 or listener.NAME.connections_max=50
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub set: Vec<String>,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    pub json: bool,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Global {
    /// How answers are printed.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}
