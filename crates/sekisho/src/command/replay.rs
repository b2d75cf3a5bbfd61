//! `sekisho replay`.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::replay::{Change, Changed, Comparison};
use indicatif::{ProgressBar, ProgressStyle};
use judge::Terms;
use records::{Kept, Reader};

use super::{
    args::{Replay, Time},
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    records::damage,
    table::{line, printable, warnings},
};

/// The longest time for which records are kept.
const KEPT_MAX: Duration = Duration::from_hours(3_650 * 24);

pub(super) async fn run(args: Replay, global: &Global) -> Result<(), Fault> {
    let settings = Arc::new(client::settings(global)?);
    let dir = args.records.clone().unwrap_or_else(|| settings.records.path.clone());
    let terms = Terms::new(settings, 1).map_err(|error| Fault::new(Exit::Usage, anyhow::anyhow!("{error}")))?;
    let (Time(since), until) = (args.since, args.until.map_or_else(SystemTime::now, |Time(until)| until));
    let mut kept = Reader::new(&dir, KEPT_MAX).since(since).map_err(unreadable)?;
    let mut replaying =
        Replaying { terms, form: global.form(), comparison: Comparison::default(), bar: bar(since, until) };
    for one in kept.by_ref() {
        let kept = one.map_err(unreadable)?;
        if kept.time() > until {
            continue;
        }
        replaying.take(&kept, since).await?;
    }
    replaying.comparison.damaged = kept.damaged();
    replaying.end()
}

fn unreadable(error: records::ReadError) -> Fault {
    Fault::new(Exit::Temporary, error)
}

/// On a terminal only; it moves with the time of the records.
fn bar(since: SystemTime, until: SystemTime) -> Option<ProgressBar> {
    let secs = until.duration_since(since).unwrap_or_default().as_secs().max(1);
    let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(secs))?;
    let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg}").ok()?;
    Some(bar.with_style(style))
}

struct Replaying {
    terms: Terms,
    form: Form,
    comparison: Comparison,
    bar: Option<ProgressBar>,
}

impl Replaying {
    async fn take(&mut self, kept: &Kept, since: SystemTime) -> Result<(), Fault> {
        let changed = self.comparison.add(kept, &self.terms).await;
        if let Some(bar) = self.bar.as_ref().filter(|_| self.comparison.judged.is_multiple_of(1_000)) {
            bar.set_position(kept.time().duration_since(since).unwrap_or_default().as_secs());
            bar.set_message(format!("{} judged, {} changed", self.comparison.judged, self.comparison.changed));
        }
        match changed {
            Some(changed) if self.form == Form::Json => json(&serde_json::json!({ "changed": changed })),
            Some(_) | None => Ok(()),
        }
    }

    fn end(mut self) -> Result<(), Fault> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.comparison.finish();
        match self.form {
            Form::Json => json(&serde_json::json!({ "summary": self.comparison }))?,
            Form::Text => line(&text(&self.comparison))?,
        }
        if self.comparison.changed > 0 { Err(Fault::silent(Exit::No)) } else { Ok(()) }
    }
}

/// One object a line: all changes need no room here.
fn json(value: &serde_json::Value) -> Result<(), Fault> {
    line(&format!("{value}\n"))
}

fn text(comparison: &Comparison) -> String {
    let Comparison { judged, same, changed, changes, unknown, unjudged, limits_assumed, damaged } = comparison;
    let mut text = warnings(&Vec::from_iter(damage(*damaged)));
    for change in changes {
        told(&mut text, change);
    }
    let _ = writeln!(text, "{judged} judged again: {same} come to the same, {changed} change");
    for (fact, count) in unknown {
        let _ = writeln!(text, "unknown, since not recorded: {} in {count}", printable(fact));
    }
    if *limits_assumed > 0 {
        let _ = writeln!(text, "a limit that was not asked then was taken for not reached in {limits_assumed}");
    }
    for (why, count) in unjudged {
        let _ = writeln!(text, "not judged: {count}, {}", printable(why));
    }
    text
}

fn told(text: &mut String, change: &Change) {
    let by = change.by.as_ref().map(|by| format!("  by {}", printable(by))).unwrap_or_default();
    let _ = writeln!(text, "{:>7}  {} -> {}{by}", change.count, printable(&change.was), printable(&change.now));
    for Changed { id, client, reverse_path, forward_path, .. } in &change.examples {
        let parts = [Some(id), client.as_ref(), reverse_path.as_ref(), forward_path.as_ref()];
        let parts: Vec<String> = parts.into_iter().flatten().map(|part| printable(part)).collect();
        let _ = writeln!(text, "         {}", parts.join(" "));
    }
}
