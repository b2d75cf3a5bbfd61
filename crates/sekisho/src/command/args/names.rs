//! `sekisho domain` and `sekisho alias`, as they are typed.

use super::own::{AliasTable, Import as Table};
use clap::Subcommand;

/// `sekisho domain`
#[derive(Debug, Clone, Subcommand)]
pub enum Domain {
    /// Accept mail for a domain
    Add {
        /// The domain
        domain: String,
        /// Who gets mail for unknown addresses [default: nobody; it is refused]
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<String>,
    },
    /// List domains
    List,
    /// Defer mail for a domain for a while (450); its users log in and send as before
    Off {
        /// The domain
        domain: String,
    },
    /// Accept mail for the domain again
    On {
        /// The domain
        domain: String,
    },
    /// Remove a domain that has neither accounts nor aliases
    Delete {
        /// The domain
        domain: String,
    },
}

/// `sekisho alias`
#[derive(Debug, Clone, Subcommand)]
pub enum Alias {
    /// Let an address lead to others
    Add {
        /// The address
        address: String,
        /// Accounts here, or addresses elsewhere
        #[arg(required = true)]
        targets: Vec<String>,
        /// The address belongs to an account: let the account keep a copy of each mail
        #[arg(long)]
        keep_copy: bool,
    },
    /// List aliases
    List,
    /// Write all aliases as a table (CSV)
    Export(AliasTable),
    /// Make aliases as a table (CSV) says: all rows or none
    ///
    /// The first row names the columns: address, target. There is a row for each target. The command names each wrong line.
    Import(Table),
    /// Remove an alias
    Delete {
        /// The address
        address: String,
    },
}
