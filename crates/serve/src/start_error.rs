//! Why a server does not start, or does not take a configuration over.

use std::io;
use std::sync::Arc;

use listen::Address;

use crate::deliver;
use crate::site::SiteError;

/// Why the server does not start. Nothing was acknowledged to anybody.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The accounts cannot be opened.
    #[error(transparent)]
    Directory(#[from] directory::OpenError),
    /// The evidence cannot be opened.
    #[error(transparent)]
    State(#[from] state::StateError),
    /// The queue cannot be opened.
    #[error(transparent)]
    Spool(#[from] spool::OpenError),
    /// Delivery does not start.
    #[error(transparent)]
    Deliver(#[from] deliver::DeliverError),
    /// The directory cannot go by the configuration.
    #[error(transparent)]
    Settings(#[from] directory::DirectoryError),
    /// A reload would change what is only read at the start.
    #[error("{}: a change needs a restart; nothing was changed", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// An address cannot be listened at.
    #[error("listener {listener}: {address}: {error}")]
    Bind {
        /// The listener.
        listener: Arc<str>,
        /// The address.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The file of grants cannot be written.
    #[error("relay.export: {0}")]
    Export(#[from] witness::export::ExportError),
    /// A folder cannot be made, or there are no random octets.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: io::Error,
    },
}

impl StartError {
    /// A fault of the system in what was tried.
    pub(crate) fn at(what: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { what: what.to_owned(), error }
    }

    /// Whether it is the configuration that is to be changed: trying again later would not help.
    pub fn is_of_configuration(&self) -> bool {
        matches!(
            self,
            Self::Site(_)
                | Self::Settings(_)
                | Self::NeedsRestart(_)
                | Self::Spool(spool::OpenError::Settings(_))
                | Self::Deliver(deliver::DeliverError::Password { .. })
        )
    }
}
