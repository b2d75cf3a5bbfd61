//! The receiver of `tracing`'s events. Spans are not used: each line carries its session's id itself.

use super::{Mode, line, own, writer::Buffer};
use std::sync::Arc;
use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter, span, subscriber::Interest};

/// Makes a line of each event.
pub(super) struct Lines {
    pub(super) mode: Arc<Mode>,
    pub(super) buffer: Arc<Buffer>,
}

impl Lines {
    /// Libraries are heard from `warn` on, and all of it only at `trace`: their chatter is not ours to keep stable.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = self.mode.level();
        let own = own::is_own(metadata.target());
        *metadata.level() <= level && (own || *metadata.level() <= Level::WARN || level == LevelFilter::TRACE)
    }
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() && self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.mode.level())
    }

    fn event(&self, event: &Event<'_>) {
        if !self.mode.limit.admits(event, super::unix_second()) {
            return;
        }
        let is_error = *event.metadata().level() <= Level::WARN;
        line::write(event, self.mode.form(), |line| {
            if is_error {
                self.mode.remember(line);
            }
            self.buffer.push(line);
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
