//! Texts in columns.

pub use keep::text::{printable, width as columns};
use unicode_width::UnicodeWidthChar as _;

/// What stands for what was cut off.
const ELLIPSIS: char = '…';

/// A text in at most so many columns: what is too long ends with `…`.
pub fn clipped(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |it: &char| {
        let wide = it.width().unwrap_or(0);
        let room = wide <= left;
        left = left.saturating_sub(wide);
        room
    };
    text.chars().take_while(fits).chain([ELLIPSIS]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_off_by_columns() {
        for (text, width, cut) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("山田太郎", 8, "山田太郎"),
            ("山田太郎", 7, "山田太…"),
            ("山田太郎", 6, "山田…"),
        ] {
            assert_eq!(clipped(text, width), cut);
            assert!(columns(&clipped(text, width)) <= width);
        }
    }
}
