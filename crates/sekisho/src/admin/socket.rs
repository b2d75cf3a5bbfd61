//! The Unix socket of the admin API: made so that nobody else can ever connect, taken over from a dead server only.

use super::{Backend, router};
use nix::sys::stat::{Mode, umask};
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};
use tokio::net::UnixListener;

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A server answers there.
    #[error("{path}: a server is running there already", path = .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Makes the socket with its permissions. What a dead server left is removed.
pub fn bind(path: &Path, mode: u32) -> Result<UnixListener, BindError> {
    let failed = |error| BindError::Io { path: path.to_owned(), error };
    match UnixStream::connect(path) {
        Ok(_) => return Err(BindError::InUse(path.to_owned())),
        // An ordinary file refuses connections too: it is somebody's, and stays.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path).map_err(failed)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // The socket must not be open to others for the moment between its birth and the change of its mode.
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    Ok(listener)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Answers until `shutdown` comes; requests that are being answered then are answered.
pub async fn serve(
    listener: UnixListener,
    backend: Backend,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(backend)).with_graceful_shutdown(shutdown).await
}
