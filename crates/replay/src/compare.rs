//! Many records, judged by another configuration: what changes, counted by what it was, what it becomes and by what. What is kept
//! does not grow with the records.

use std::collections::BTreeMap;

use judge::Terms;
use records::Kept;
use serde::Serialize;

use crate::again::{Again, judged};
use crate::came::Came;
use crate::known::By;
use crate::subject::{Unjudged, manner};

/// Examples of a change that are kept.
const EXAMPLES_MAX: usize = 3;
/// Changes that are told apart; what comes above them is counted as one.
const CHANGES_MAX: usize = 10_000;
/// Causes for which records are not judged that are told apart.
const CAUSES_MAX: usize = 100;

/// What changes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Records that were judged.
    pub judged: u64,
    /// Those that come to the same.
    pub same: u64,
    /// Those that do not.
    pub changed: u64,
    /// The changes, the most frequent first.
    pub changes: Vec<Change>,
    /// Facts that would have had to be known and were not recorded, by their words, with how many records lack each.
    pub unknown: BTreeMap<String, u64>,
    /// Records that could not be judged, by why.
    pub unjudged: BTreeMap<String, u64>,
    /// Records in which a limit was taken for not reached, since nobody had asked.
    pub limits_assumed: u64,
    /// Stretches of the files that could not be read.
    pub damaged: u64,
}

/// One kind of change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it was.
    pub was: String,
    /// What it becomes.
    pub now: String,
    /// The rule, the line or what is not known that makes it so.
    pub by: Option<String>,
    /// How many.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<Changed>,
}

/// A record whose verdict changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The id of its decision.
    pub id: String,
    /// When it was judged, in microseconds since 1970.
    pub at: u64,
    /// The client.
    pub client: Option<String>,
    /// The reverse-path.
    pub reverse_path: Option<String>,
    /// The forward-path.
    pub forward_path: Option<String>,
    /// What it was.
    pub was: String,
    /// What it becomes.
    pub now: String,
    /// The rule, the line or what is not known that makes it so.
    pub by: Option<String>,
    /// What would have had to be known and was not recorded.
    pub unknown: Vec<String>,
}

impl Comparison {
    /// Takes a record; gives it if its verdict changes.
    pub async fn add(&mut self, record: &Kept, terms: &Terms) -> Option<Changed> {
        let by = manner(record).map(|manner| By::terms(terms, manner));
        let again = match &by {
            Some(by) => judged(record, by).await,
            None => Err(Unjudged::unmannered(record)),
        };
        match again {
            Ok(again) => self.take(record, &again),
            Err(why) => {
                count(&mut self.unjudged, &why.to_string());
                None
            }
        }
    }

    fn take(&mut self, record: &Kept, again: &Again) -> Option<Changed> {
        self.judged += 1;
        again.unknown.iter().for_each(|fact| count(&mut self.unknown, fact));
        self.limits_assumed += u64::from(again.assumed_place);
        let was = Came::recorded(record);
        if again.came.is_as(&was) {
            self.same += 1;
            return None;
        }
        self.changed += 1;
        let changed = Changed {
            id: record.id.clone(),
            at: record.at,
            client: record.client.map(|client| client.to_string()),
            reverse_path: record.reverse_path.clone(),
            forward_path: record.forward_path.clone(),
            was: was.words(),
            now: again.came.words(),
            by: by(&was, again),
            unknown: again.unknown.iter().map(ToString::to_string).collect(),
        };
        self.group(&changed);
        Some(changed)
    }

    fn group(&mut self, changed: &Changed) {
        let is_it = |it: &&mut Change| it.was == changed.was && it.now == changed.now && it.by == changed.by;
        let is_full = self.changes.len() >= CHANGES_MAX;
        if let Some(change) = self.changes.iter_mut().find(is_it) {
            change.count += 1;
            if change.examples.len() < EXAMPLES_MAX {
                change.examples.push(changed.clone());
            }
        } else if is_full {
            if let Some(last) = self.changes.last_mut() {
                last.count += 1;
                "others".clone_into(&mut last.was);
                "others".clone_into(&mut last.now);
                last.by = None;
            }
        } else {
            let Changed { was, now, by, .. } = changed.clone();
            self.changes.push(Change { was, now, by, count: 1, examples: vec![changed.clone()] });
        }
    }

    /// Puts the most frequent changes first.
    pub fn finish(&mut self) {
        self.changes.sort_by(|one, two| two.count.cmp(&one.count).then_with(|| one.now.cmp(&two.now)));
    }
}

/// What makes the difference: the rule or line of what it becomes, else of what it was.
fn by(was: &Came, again: &Again) -> Option<String> {
    let of = |came: &Came| match (&came.rule, &came.line) {
        (Some(rule), Some(line)) => Some(format!("rule {rule} ({line})")),
        (None, Some(line)) => Some(line.clone()),
        (_, None) => None,
    };
    let unknown = || {
        let names: Vec<&str> = again.unknown.iter().map(AsRef::as_ref).collect();
        (!names.is_empty()).then(|| format!("not recorded: {}", names.join(", ")))
    };
    let now = of(&again.came);
    if again.came.is_unfounded() { unknown().or(now) } else { now.or_else(|| of(was)).or_else(unknown) }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if counts.len() < CAUSES_MAX || counts.contains_key(name) {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
}
