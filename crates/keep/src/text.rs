//! Texts for people: what a terminal would obey is not passed on, columns are counted as a terminal has them, large numbers are read
//! at a glance.

use unicode_width::UnicodeWidthStr as _;

/// Whether a terminal or a reader would be misled: control characters, and those that turn the direction of what follows
/// (Unicode, UAX #9).
pub fn misleads(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

/// A text that a terminal can be given: much of what is shown was written by strangers. A sign stands for each character that misleads.
pub fn printable(text: &str) -> String {
    text.chars().map(|it| if misleads(it) { '\u{fffd}' } else { it }).collect()
}

/// Columns of a terminal that a text takes: a character of East Asia takes two (UAX #11).
pub fn width(text: &str) -> usize {
    text.width()
}

/// A number with a comma between thousands.
pub fn grouped(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Octets in lower-case hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('?');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_not_passed_on() {
        for (text, shown) in [
            ("plain 漢字", "plain 漢字"),
            ("\u{1b}[2J", "\u{fffd}[2J"),
            ("a\r\nb", "a\u{fffd}\u{fffd}b"),
            ("moc.elpmaxe\u{202e}", "moc.elpmaxe\u{fffd}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        for (text, columns) in [("", 0), ("abc", 3), ("漢字", 4), ("ｶﾅ", 2), ("（）", 4), ("e\u{301}", 1)] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn octets_are_told_in_digits() {
        assert_eq!(hex(&[0, 9, 0x10, 0xaf, 0xff]), "000910afff");
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in
            [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (-65_536, "-65,536"), (4_294_967_280, "4,294,967,280")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
