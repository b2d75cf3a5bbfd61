//! A certificate and its key, as other mail servers name them.

use super::Spot;
use super::draft::{Change, Draft, Making};
use std::{os::unix::fs::PermissionsExt as _, path::Path};

/// Two files.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Takes them if a start would. A key that a group may read (Debian's `ssl-cert`) is taken with a word on it; one that
/// everybody may read is not.
pub(super) fn pair(making: &mut Making, at: &Spot, what: &str, pair: &Pair) {
    let taking = Change { what, key: "tls.certificate, tls.key" };
    let put = |draft: &mut Draft| {
        draft.set("tls", "certificate", pair.certificate.as_str());
        draft.set("tls", "key", pair.key.as_str());
    };
    if !for_a_group(Path::new(&pair.key)) {
        making.offer_files(at, taking, put);
        return;
    }
    let any = |draft: &mut Draft| {
        put(draft);
        draft.set("tls", "permissions", "any");
    };
    if making.offer_files(at, taking, any) {
        let how = "others than its owner may read the key; chmod 0600 and remove tls.permissions, or see who is in that group";
        making.differs(at, what, how);
    }
}

fn for_a_group(key: &Path) -> bool {
    std::fs::metadata(key).is_ok_and(|about| {
        let mode = about.permissions().mode();
        let [group, others] = [0o070, 0o007].map(|bits| mode & bits);
        group != 0 && others == 0
    })
}
