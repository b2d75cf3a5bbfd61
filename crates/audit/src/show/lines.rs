//! Lines of at most 80 columns: what is longer goes on in the next, a little further in.

use keep::text::{printable, width};

/// Columns of a line.
const COLUMNS: usize = 80;
/// How much further in a line goes on.
const FURTHER: usize = 2;

/// A text that grows by lines.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A name in a column of its own, and what is said of it.
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own")]
    pub(super) fn row(&mut self, indent: usize, columns: usize, name: &str, text: &str) {
        let gap = " ".repeat(columns.saturating_sub(width(name)));
        self.line(indent, &format!("{name}{gap} {text}"));
    }

    /// A line, or as many as it needs.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        let mut left = indent;
        let mut line = String::new();
        for piece in pieces(text) {
            let is_full = left + width(&line) + width(piece.trim_end()) > COLUMNS;
            if is_full && !line.is_empty() {
                self.push(left, &line);
                (left, line) = (indent + FURTHER, String::new());
            }
            line.push_str(if line.is_empty() && left != indent { piece.trim_start() } else { piece });
        }
        self.push(left, &line);
    }

    fn push(&mut self, left: usize, line: &str) {
        self.0 += &" ".repeat(left);
        self.0 += &printable(line.trim_end());
        self.0.push('\n');
    }

    pub(super) fn into_text(self) -> String {
        self.0.trim_end().to_owned()
    }
}

/// Whether a character takes two columns.
fn is_wide(character: char) -> bool {
    width(character.encode_utf8(&mut [0; 4])) == 2
}

/// Where a line may end: behind a blank, and around a wide character, but not before a closing mark.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    let mut before: Option<char> = None;
    for (at, now) in text.char_indices() {
        let is_closing = matches!(
            now,
            '、' | '。' | '）' | '」' | 'ー' | '：' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ッ' | 'ャ' | 'ュ' | 'ョ'
        );
        let may_end = before.is_some_and(|before| {
            let is_opening = matches!(before, '（' | '「');
            before == ' ' || ((is_wide(before) || is_wide(now)) && !is_opening)
        });
        if may_end && !is_closing && at > from {
            pieces.push(&text[from..at]);
            from = at;
        }
        before = Some(now);
    }
    pieces.push(&text[from..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_in_both_languages() {
        let mut page = Page::default();
        page.line(4, &"every host relays, whoever has it now; ".repeat(6));
        page.line(4, &"すべてのホストが、ログインなしで（どの送信者でも）中継できます。".repeat(4));
        page.row(2, 8, "mx", "a\u{1b}[2J");
        let text = page.into_text();
        assert!(text.lines().all(|line| width(line) <= COLUMNS && !line.contains('\u{1b}')), "{text}");
        assert!(text.lines().count() > 6 && !text.lines().any(|line| line.trim_start().starts_with(['、', '。'])));
    }
}
