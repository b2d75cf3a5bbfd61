//! How files are called in a backup: paths below a part, with `/`, in ASCII. Names of mail may be in any encoding.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// Octets of a name.
const OCTETS_MAX: usize = 4096;
/// What does not stand for itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// A path as a name.
pub(crate) fn of(path: &Path) -> String {
    percent_encode(path.as_os_str().as_bytes(), ESCAPED).to_string()
}

/// A name as the relative path that it means; `None` if it leads anywhere else than below.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let octets: Vec<u8> = percent_decode_str(name).collect();
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    let below = name.len() <= OCTETS_MAX && octets.split(|octet| *octet == b'/').all(plain);
    let path = PathBuf::from(OsString::from_vec(octets));
    // There is one name for a path: no `%2F`.
    (below && of(&path) == name).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_below() {
        let odd = OsString::from_vec(b"mail/d/n/cur/1,S=5:2,S\xff %x".to_vec());
        let name = of(Path::new(&odd));
        assert_eq!(name, "mail/d/n/cur/1,S=5:2,S%FF %25x");
        assert_eq!(path(&name).unwrap(), Path::new(&odd));
        for wrong in ["", "/etc/passwd", "../x", "a/../b", "a/%2E%2E/b", "a%2Fb", "./a", "a//b", "a/", "a%00b", "%zz"] {
            assert!(path(wrong).is_none(), "{wrong}");
        }
        assert!(path(&"x".repeat(OCTETS_MAX + 1)).is_none());
    }
}
