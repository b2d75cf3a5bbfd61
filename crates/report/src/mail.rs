//! The page as a mail: text, and HTML beside it (RFC 2046 §5.1.4).

use std::time::{Duration, UNIX_EPOCH};

use mail_builder::MessageBuilder;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;

use crate::page::Page;

impl Page {
    /// An Internet message from `from` to `to`, made at `at_micros` (microseconds since 1970). It says that a program made it, so that
    /// no vacation program answers (RFC 3834 §5).
    pub fn mail(&self, from: &str, to: &str, at_micros: u64) -> std::io::Result<Vec<u8>> {
        let at = UNIX_EPOCH + Duration::from_micros(at_micros);
        let secs = at.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
        let message = MessageBuilder::new()
            .from(from)
            .to(to)
            .subject(self.title.as_str())
            .date(Date::new(i64::try_from(secs).unwrap_or_default()))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(self.text())
            .html_body(self.html());
        message.write_to_vec()
    }
}
