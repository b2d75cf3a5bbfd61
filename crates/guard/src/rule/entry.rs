//! An entry of an access map that was found: the fact by which [`super::Condition::Entry`] holds.

use serde::Serialize;

use super::Part;
use super::action::Action;
use crate::line::ConfigLine;

/// Which map: its number in the configuration's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct MapId(pub usize);

/// An entry that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// For which part.
    pub part: Part,
    /// In which map.
    pub map: MapId,
    /// What it asks for.
    pub action: Action,
    /// Its place.
    pub line: ConfigLine,
}
