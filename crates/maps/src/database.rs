//! What a database gave instead of its source: keys and values.

use crate::key::fold;
use crate::kind::Kind;
use crate::mistake::{Notes, Position, shown};
use crate::sendmail;
use crate::source::Entries;
use crate::store::{Entry, Store};

/// All pairs. The keys are folded there already, and a zero octet may end keys and values.
pub(crate) fn read<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    kind: Kind,
    pairs: impl IntoIterator<Item = (K, V)>,
    notes: &mut Notes,
) -> Store {
    let nowhere = Position::start_of(0);
    let mut entries = Entries::new(notes);
    let indexed =
        matches!(kind, Kind::Access | Kind::Hash | Kind::Btree | Kind::SendmailAccess | Kind::Deny | Kind::Mailertable);
    if !indexed {
        entries.notes.mistake(nowhere, format!("a map of type {kind} has no database"), "name the text file");
    }
    for (key, value) in pairs {
        let (key, value) = (unterminated(key.as_ref()), unterminated(value.as_ref()));
        let (Ok(key), Ok(value)) = (str::from_utf8(key), str::from_utf8(value)) else {
            let what = format!("{} is not UTF-8", shown(&String::from_utf8_lossy(key)));
            entries.notes.mistake(nowhere, what, "make the database anew from its text");
            continue;
        };
        if key.is_empty() || !indexed {
            continue;
        }
        let entry = Entry { key: &fold(key), value, line: 0 };
        let fine = match kind {
            Kind::SendmailAccess | Kind::Deny | Kind::Mailertable => {
                sendmail::source::check(kind, entry, entries.notes)
            }
            _ => true,
        };
        if fine && entries.take(entry).is_none() {
            break;
        }
    }
    entries.finish()
}

fn unterminated(octets: &[u8]) -> &[u8] {
    octets.strip_suffix(&[0]).unwrap_or(octets)
}
