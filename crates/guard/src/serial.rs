//! How values that print themselves stand in records.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::attested::{ConfirmedName, PopSource, Subject};
use crate::choice::Choice;
use crate::command::Stage;
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
    Stage: |stage| stage.code();
    Subject: |subject| subject;
    Trace: |trace| trace;
}
