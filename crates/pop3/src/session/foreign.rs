//! Who does not speak POP3: hung up on, so that nothing behind the first line is carried out (T50).

use super::{Output, Session, State};
use crate::command::{Command, Invalid};
use crate::replies;
use crate::reply::Reply;
use smtp::opening::{self, Opening};

/// Most unknown commands of a client that has said nothing else: a mail client knows how to begin.
const UNKNOWN_FIRST_MAX: u8 = 3;

impl Session {
    /// Whether another protocol begins here, however long its line will be; then this session has ended.
    pub(super) fn hangs_up(&mut self, rest: &[u8], out: &mut Vec<Output>) -> bool {
        let is_response = matches!(self.state, State::Exchange | State::LastWord { .. });
        let opening = if self.skipping || is_response { None } else { opening::begins(rest) };
        if let Some(opening) = opening {
            self.close(last_word(opening), out);
        }
        opening.is_some()
    }

    pub(super) fn unknown(&mut self, line: &[u8], out: &mut Vec<Output>) {
        let before = self.unknown_first;
        let opening = if before.is_some() { opening::of_first_line(line) } else { opening::of_line(line) };
        if let Some(opening) = opening {
            return self.close(last_word(opening), out);
        }
        self.error(replies::unknown_command(), out);
        self.unknown_first = before.map(|count| count.saturating_add(1));
        if self.unknown_first.is_some_and(|count| count >= UNKNOWN_FIRST_MAX) && !self.is_closed() {
            self.close(replies::too_many_errors(), out);
        }
    }

    /// A line that is too long. No mail client begins with one of no command; a request may, and its body stands behind.
    pub(super) fn too_long(&mut self, line: &[u8], out: &mut Vec<Output>) {
        if self.unknown_first.is_some() && matches!(Command::parse(line), Err(Invalid::Unknown)) {
            return self.close(replies::line_too_long(), out);
        }
        self.error(replies::line_too_long(), out);
    }
}

fn last_word(opening: Opening) -> Reply {
    match opening {
        Opening::Http => replies::http_spoken(),
        Opening::Other => replies::other_protocol(),
    }
}
