//! How values that print themselves stand in records.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::attested::{ConfirmedName, PopSource, Subject};
use crate::choice::Choice;
use crate::explain::ExplainId;
use crate::fact::Fault;
use crate::facts::FactName;
use crate::hosting::Hosting;
use crate::line::ConfigLine;
use crate::origin::Country;
use crate::reason::Reason;
use crate::rule::Part;
use crate::trace::Trace;

/// Makes records hold the text that a value prints as.
macro_rules! as_text {
    ($($type:ty: |$value:ident| $text:expr;)*) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                text(&$text, serializer)
            }
        })*
    };
}

/// Microseconds since 1970; 0 for what is before.
pub(crate) fn micros<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// What is as it always is, is left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is not so is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde hands it")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

fn text<S: Serializer>(value: &dyn Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

as_text! {
    Choice: |choice| choice.code();
    ConfigLine: |line| line;
    ConfirmedName: |name| name.domain();
    Country: |country| country;
    ExplainId: |id| id;
    FactName: |fact| fact.code();
    Fault: |fault| format_args!("{}:{}", fault.at(), fault.code());
    Hosting: |hosting| hosting.code();
    Part: |part| part.code();
    PopSource: |source| source.code();
    Reason: |reason| reason.code();
    Subject: |subject| subject;
    Trace: |trace| trace;
}
