//! A sign that something goes on: on a terminal only, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The sign moves so often.
const TICK: Duration = Duration::from_millis(120);

/// Shows that work goes on until it is dropped.
#[must_use = "dropped, it is gone"]
#[derive(Debug)]
pub struct Waiting(ProgressBar);

/// Says what is waited for, and for how long already.
pub fn waiting(what: impl Into<String>) -> Waiting {
    let bar = ProgressBar::new_spinner().with_message(what.into());
    let bar = match ProgressStyle::with_template("{spinner} {msg} … {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    bar.enable_steady_tick(TICK);
    Waiting(bar)
}

/// A bar of so many steps.
pub fn steps(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
