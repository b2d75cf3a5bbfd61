//! The two commands, but for what is asked of a running server.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::BackupError;
use crate::args::{BackupArgs, RestoreArgs};
use crate::extra::Extra;
use crate::manifest::Manifest;
use crate::passphrase::Passphrase;
use crate::picture::WithMail;
use crate::restore::{Existing, LostKey, Restored, Wanted, restore as restored};
use crate::stage;
use crate::store::{self, Destination, Older};
use crate::target::Target;

/// Which configuration it is.
#[derive(Debug, Clone, Copy)]
pub struct Configured<'a> {
    /// Its file.
    pub file: &'a Path,
    /// `--set` over it.
    pub sets: &'a [String],
}

impl BackupArgs {
    /// Whether mailboxes are wanted.
    pub fn with_mail(&self) -> WithMail {
        if self.mail { WithMail::Yes } else { WithMail::No }
    }
}

/// Keeps what a server tells. The stream is asked for once everything else is seen to be right.
pub fn backup<R: Read, E: From<BackupError>>(
    args: &BackupArgs,
    of: Configured<'_>,
    stream: impl FnOnce(config::Settings) -> Result<R, E>,
    told: impl FnMut(u64),
) -> Result<Manifest, E> {
    let Configured { file, sets } = of;
    let loaded = config::read(file, sets).map_err(BackupError::from)?;
    let passphrase = args.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    let mut extra = Extra::read(file, &loaded, passphrase.as_ref(), args.with_mail())?;
    extra.sets = sets.to_vec();
    let older = if args.replace { Older::Replaced } else { Older::Kept };
    let to = Destination { path: &args.to, older };
    to.refuse()?;
    Ok(store::keep(stream(loaded.settings)?, to, &extra, told)?)
}

/// Restores a backup, where no server runs.
pub fn restore(
    args: &RestoreArgs,
    from: &Path,
    of: Configured<'_>,
    told: impl FnMut(u64),
) -> Result<(Restored, Target), BackupError> {
    let passphrase = args.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    let text = stage::config(from)?;
    let target = match &args.into {
        Some(dir) => Target::below(dir, &text, of.sets)?,
        None => Target::in_place(of.file, &text, of.sets)?,
    };
    if let Some(socket) = target.socket.as_ref().filter(|socket| UnixStream::connect(socket).is_ok()) {
        return Err(BackupError::InUse(format!("it answers at {}", socket.display())));
    }
    let wanted = Wanted {
        from,
        places: &target.places,
        config: &target.config,
        passphrase: passphrase.as_ref(),
        lost_key: if args.without_key { LostKey::DevicesRevoked } else { LostKey::Refused },
        existing: if args.replace { Existing::PutAside } else { Existing::Refused },
    };
    Ok((restored(&wanted, told)?, target))
}
