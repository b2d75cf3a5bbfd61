//! The picture of a [`View`], for any size of terminal: what does not fit is left out from below.

use admin::wire::{Activity, Listening, Sending};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};
use records::Kept;
use terminal::printable;
use terminal::time::span;

use crate::view::{Rate, View};
use crate::words::Words;

/// Alarms that are shown with their title.
const ALARMS_MAX: usize = 3;
/// Rows of listeners and senders; the head is one.
const MIDDLE_MAX: usize = 7;
/// Columns of a terminal that has room for curves beside the reasons.
const WITH_CURVES: u16 = 108;
/// Columns of reasons with both of their numbers.
const WITH_BOTH: u16 = 26;
/// Heights of a curve's steps.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How it is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) words: Words,
    /// With colours.
    pub(crate) colours: bool,
    /// Seconds between two looks.
    pub(crate) secs: u64,
}

/// Draws all of it.
pub(crate) fn draw(view: &View, manner: Manner, frame: &mut Frame) {
    let alarms = alarms(view, manner);
    let rows = |rows: usize| Constraint::Length(u16::try_from(rows).unwrap_or(u16::MAX));
    let busiest = view.activity.listeners.len().max(view.activity.senders.len()).max(1) + 1;
    let [head, warned, rates, middle, bottom, keys] = Layout::vertical([
        rows(3),
        rows(alarms.len()),
        rows(Rate::ALL.len() + 2),
        rows(busiest.min(MIDDLE_MAX) + 1),
        Constraint::Fill(1),
        rows(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(header(view, manner)), head);
    frame.render_widget(Paragraph::new(alarms), warned);
    let curves = rates.width >= WITH_CURVES;
    let columns = if curves { 76 } else { 55 };
    let [left, right] = Layout::horizontal([Constraint::Length(columns), Constraint::Fill(1)]).spacing(2).areas(rates);
    frame.render_widget(table_of_rates(view, manner, curves), left);
    frame.render_widget(reasons(view, manner, right.width), right);
    let middle = Rect { height: middle.height.saturating_sub(1), ..middle };
    let [left, right] = Layout::horizontal([Constraint::Percentage(38), Constraint::Fill(1)]).spacing(2).areas(middle);
    frame.render_widget(listeners(&view.activity, manner), left);
    frame.render_widget(senders(&view.activity, manner), right);
    decisions(view, manner, frame, bottom);
    let keys_line = manner.words.keys(view.paused, manner.secs);
    frame.render_widget(Paragraph::new(keys_line).style(manner.faint()), keys);
}

impl Manner {
    fn faint(self) -> Style {
        if self.colours { Style::new().fg(Color::DarkGray) } else { Style::new() }
    }

    fn head(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colours { style.fg(Color::Cyan) } else { style }
    }

    fn of_level(self, level: &str) -> Style {
        match (self.colours, level) {
            (false, _) => Style::new().add_modifier(Modifier::BOLD),
            (true, "critical") => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            (true, _) => Style::new().fg(Color::Yellow),
        }
    }

    fn of_outcome(self, outcome: &str) -> Style {
        match (self.colours, outcome) {
            (true, "refuse") => Style::new().fg(Color::Red),
            (true, "defer") => Style::new().fg(Color::Yellow),
            (true, "relayed" | "hosted") => Style::new().fg(Color::Green),
            _ => Style::new(),
        }
    }
}

fn header(view: &View, manner: Manner) -> Vec<Line<'static>> {
    let (words, now) = (manner.words, &view.activity);
    let clock = local(Timestamp::now(), "%H:%M:%S");
    let up = span(now.uptime_millis / 1_000);
    let mut first = vec![
        Span::styled(format!("Sekisho {}", printable(&now.version)), manner.head()),
        Span::raw(format!("  {}  {} {up}  {clock}  ", printable(&view.host), words.up())),
    ];
    first.push(match (&view.fault, now.alarms.len()) {
        (Some(why), _) => Span::styled(words.fault(&printable(why)), manner.of_level("critical")),
        (None, 0) => Span::styled(words.no_alarm(), manner.faint()),
        (None, count) => Span::styled(words.alarms(count), manner.of_level(&now.alarms[0].level)),
    });
    let memory = now.memory_octets.map(|octets| words.memory(octets)).unwrap_or_default();
    let sessions = words.sessions(now.sessions, now.sessions_logged_in);
    let second = format!("{sessions}  {}  {memory}", words.bans(now.bans));
    vec![Line::from(first), Line::from(second), Line::from(words.queue(&now.queue, &span(now.queue.oldest_secs)))]
}

fn alarms(view: &View, manner: Manner) -> Vec<Line<'static>> {
    let told = view.activity.alarms.iter().take(ALARMS_MAX).map(|it| {
        let of = if it.subject.is_empty() { String::new() } else { format!(" ({})", printable(&it.subject)) };
        let text = format!("! {}{of}: {}", printable(&it.title), printable(&it.detail));
        Line::styled(text, manner.of_level(&it.level))
    });
    told.collect()
}

fn table_of_rates(view: &View, manner: Manner, curves: bool) -> Table<'static> {
    let row = |rate: Rate| {
        let shown = |rate: Option<f64>, columns| right(&rate.map_or_else(|| "-".to_owned(), per_second), columns);
        let curve = curves.then(|| Line::from(curve(&view.curve(rate))));
        let numbers = [
            Line::from(manner.words.rate(rate)),
            shown(view.now(rate), 10),
            shown(view.mean(rate), 12),
            right(&view.count(rate).to_string(), 12),
        ];
        Row::new(numbers.into_iter().chain(curve))
    };
    let widths = [18, 10, 12, 12, 20].map(Constraint::Length);
    let shown = if curves { widths.len() } else { widths.len() - 1 };
    let [what, now, mean, all, _] = manner.words.rates();
    let head = [Line::from(what), right(now, 10), right(mean, 12), right(all, 12), Line::default()];
    Table::new(Rate::ALL.map(row), &widths[..shown]).header(Row::new(head).style(manner.head()))
}

/// The busiest first.
fn listeners(now: &Activity, manner: Manner) -> Table<'static> {
    let row = |it: &Listening| {
        Row::new([Line::from(printable(&it.name)), right(&format!("{}/{}", it.open, it.open_max), 12)])
    };
    let mut listeners: Vec<&Listening> = now.listeners.iter().collect();
    listeners.sort_by_key(|it| std::cmp::Reverse(it.open));
    let [name, open] = manner.words.listeners();
    let head = Row::new([Line::from(name), right(open, 12)]).style(manner.head());
    Table::new(listeners.into_iter().map(row), [Constraint::Fill(1), Constraint::Length(12)]).header(head)
}

fn senders(now: &Activity, manner: Manner) -> Table<'static> {
    let row = |it: &Sending| {
        let numbers = [it.sent, it.refused, it.usual].map(|count| right(&count.to_string(), 8));
        Row::new(std::iter::once(Line::from(printable(&it.sender))).chain(numbers))
    };
    let [who, sent, refused, usual] = manner.words.senders();
    let head = [Line::from(who), right(sent, 8), right(refused, 8), right(usual, 8)];
    let widths = [Constraint::Fill(1), Constraint::Length(8), Constraint::Length(8), Constraint::Length(8)];
    let rows: Vec<Row> = match now.senders.as_slice() {
        [] => vec![Row::new([Line::styled(manner.words.none(), manner.faint())])],
        some => some.iter().map(row).collect(),
    };
    Table::new(rows, widths).header(Row::new(head).style(manner.head()))
}

fn reasons(view: &View, manner: Manner, columns: u16) -> Table<'static> {
    let all_columns = if columns >= WITH_BOTH { 7 } else { 0 };
    let cells = |name: &str, lately: &str, all: &str| {
        Row::new([Line::from(printable(name)), right(lately, 6), right(all, all_columns.into())])
    };
    let row = |(name, lately, all): (&str, u64, u64)| cells(name, &lately.to_string(), &all.to_string());
    let [what, lately, all] = manner.words.reasons();
    let head = cells(what, lately, all).style(manner.head());
    let widths = [Constraint::Fill(1), Constraint::Length(6), Constraint::Length(all_columns)];
    let rows: Vec<Row> = match view.reasons().as_slice() {
        [] => vec![Row::new([Line::styled(manner.words.none(), manner.faint())])],
        some => some.iter().copied().map(row).collect(),
    };
    Table::new(rows, widths).header(head)
}

fn decisions(view: &View, manner: Manner, frame: &mut Frame, area: Rect) {
    let head = Row::new(manner.words.decisions()).style(manner.head());
    let widths = [8, 11, 18, 15].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    let Some(kept) = &view.decisions else {
        return frame.render_widget(Paragraph::new(manner.words.no_records()).style(manner.faint()), area);
    };
    let rows = kept.iter().map(|it| decision(it, manner));
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

fn decision(kept: &Kept, manner: Manner) -> Row<'static> {
    let path = |path: &Option<String>| path.as_deref().map(printable).unwrap_or_default();
    let outcome = match kept.reason() {
        Some(reason) => reason.to_owned(),
        None => kept.outcome.clone(),
    };
    let when = Timestamp::try_from(kept.time()).map_or_else(|_| "?".to_owned(), |at| local(at, "%H:%M:%S"));
    let to = path(&kept.forward_path);
    let paths = match (path(&kept.reverse_path), to.is_empty()) {
        (from, true) if from.is_empty() => kept.login.as_deref().map(printable).unwrap_or_default(),
        (from, true) => from,
        (from, false) => format!("{from} → {to}"),
    };
    Row::new([
        Line::from(when),
        Line::from(printable(&kept.id)),
        Line::styled(printable(&outcome), manner.of_outcome(&kept.outcome)),
        Line::from(kept.client.map(|client| client.to_string()).unwrap_or_default()),
        Line::from(paths),
    ])
}

fn local(at: Timestamp, form: &str) -> String {
    at.to_zoned(TimeZone::system()).strftime(form).to_string()
}

/// At the right side of so many columns.
fn right(text: &str, columns: usize) -> Line<'static> {
    let width = Line::from(text).width();
    Line::from(format!("{}{text}", " ".repeat(columns.saturating_sub(width))))
}

fn per_second(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// Each step as high as its share of the greatest.
fn curve(rates: &[f64]) -> String {
    let most = rates.iter().copied().fold(0.0, f64::max);
    let step = |rate: &f64| {
        // Seven steps are far below what an integer holds.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        let at = if most > 0.0 { (rate / most * 7.0).round() as usize } else { 0 };
        STEPS[at.min(7)]
    };
    rates.iter().map(step).collect()
}

#[cfg(test)]
mod tests;
