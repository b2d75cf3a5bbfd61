//! `http-01` beside a web server: the answer is a file below its document root.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Wanted;
use crate::AcmeError;

/// How long the disk may take.
const TIME: Duration = Duration::from_secs(30);
/// Octets of a token; an authority's has 43.
const TOKEN_OCTETS_MAX: usize = 128;

/// The file.
#[derive(Debug)]
pub(crate) struct Answer(PathBuf);

impl Answer {
    /// Readable by the web server, as by everybody: it is no secret.
    pub(super) async fn write(root: &Path, wanted: &Wanted) -> Result<Self, AcmeError> {
        let path = place(root, &wanted.token)
            .ok_or_else(|| AcmeError::Refused("its token is no name of a file".to_owned()))?;
        let (at, text) = (path.clone(), wanted.answer.as_str().to_owned());
        let writing = tokio::task::spawn_blocking(move || put(&at, &text));
        let written = tokio::time::timeout(TIME, writing).await;
        let failed = |why: String| AcmeError::Here(format!("tls.acme.webroot {}: {why}", path.display()));
        match written {
            Ok(Ok(Ok(()))) => Ok(Self(path)),
            Ok(Ok(Err(error))) => Err(failed(error.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("not written within {} seconds", TIME.as_secs()))),
        }
    }

    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "answer left");
        }
    }
}

/// A token is of base64url (RFC 8555 §8.3); another would lead out of the folder.
fn place(root: &Path, token: &str) -> Option<PathBuf> {
    let is_one = !token.is_empty()
        && token.len() <= TOKEN_OCTETS_MAX
        && token.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    is_one.then(|| root.join(".well-known/acme-challenge").join(token))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_nowhere_else() {
        let root = Path::new("/srv/www");
        assert_eq!(place(root, "a-B_9").unwrap(), Path::new("/srv/www/.well-known/acme-challenge/a-B_9"));
        for token in ["", "..", "../x", "/etc/passwd", "a/b", "a.b", "a\0", &"a".repeat(129)] {
            assert_eq!(place(root, token), None, "{token}");
        }
    }
}
