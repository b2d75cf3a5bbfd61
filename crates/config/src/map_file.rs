//! `TYPE:FILE`: a file of another mail server.

use crate::reading::Reading;
use crate::source::Position;
use crate::value::Unreadable;
use maps::kind::SpecError;
use maps::{Kind, Spec};
use std::path::PathBuf;

/// A file of another mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFile {
    /// Its form.
    pub kind: Kind,
    /// Its path; a relative one is meant from the configuration's folder of data.
    pub path: PathBuf,
    /// Where it is named.
    pub place: Position,
}

/// A list of files, each of one of these kinds.
pub(crate) fn all(key: &str, texts: &[String], kinds: &[Kind], reading: &mut Reading<'_>) -> Vec<MapFile> {
    let each = texts.iter().enumerate();
    each.filter_map(|(index, text)| one(&format!("{key}[{index}]"), text, kinds, reading)).collect()
}

/// A file of one of these kinds.
pub(crate) fn one(path: &str, text: &str, kinds: &[Kind], reading: &mut Reading<'_>) -> Option<MapFile> {
    let Spec { kind, path: file } = reading.parsed(path, spec(text, kinds))?;
    Some(MapFile { kind, path: reading.below(&file), place: reading.position(path) })
}

fn spec(text: &str, kinds: &[Kind]) -> Result<Spec, Unreadable> {
    let parsed = text.parse::<Spec>();
    if let Err(why @ SpecError::MySql(_)) = &parsed {
        let why = why.to_string();
        let (message, hint) = why.split_once("; ").unwrap_or((&why, ""));
        return Err(Unreadable { message: message.to_owned(), hint: hint.to_owned().into() });
    }
    if parsed.as_ref().is_ok_and(|spec| spec.kind.is_database()) && !kinds.iter().any(|kind| kind.is_database()) {
        return Err(Unreadable {
            message: format!(
                "\"{text}\": a database may be away, so it cannot say who may relay or which domains there are"
            ),
            hint: "write its table to a text, and name that".into(),
        });
    }
    let spec = parsed.ok().filter(|spec| kinds.contains(&spec.kind));
    spec.ok_or_else(|| {
        let words = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let hint = format!("TYPE:FILE with a type of {words}");
        Unreadable { message: format!("\"{text}\" is no map for this place"), hint: hint.into() }
    })
}
