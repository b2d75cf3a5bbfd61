//! Sizes as people write them: `2G`, `500M`, `2GiB`, or plain octets. A unit is 1,024 of the one before, however it is spelt.

/// The units, each 1,024 of the one before.
const UNITS: [char; 4] = ['K', 'M', 'G', 'T'];

/// Octets of a size; `None`: it is none, or more than can be counted.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|it: char| it.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start().to_ascii_uppercase();
    let unit =
        unit.strip_suffix("IB").filter(|unit| !unit.is_empty()).or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    if unit.is_empty() {
        return Some(number);
    }
    let at = UNITS.iter().position(|known| unit.chars().eq([*known]))?;
    UNITS.iter().take(at + 1).try_fold(number, |octets, _| octets.checked_mul(1_024))
}

/// A size as it is written: in the largest unit in which it is a whole number.
pub fn exact(octets: u64) -> String {
    let (mut number, mut unit) = (octets, None);
    for larger in UNITS {
        if number == 0 || !number.is_multiple_of(1_024) {
            break;
        }
        (number, unit) = (number / 1_024, Some(larger));
    }
    unit.map_or_else(|| number.to_string(), |unit| format!("{number}{unit}"))
}

/// A size to one place behind the point, for what nobody reckons with.
pub fn about(octets: u64) -> String {
    let (mut tenths, mut unit) = (u128::from(octets) * 10, None);
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1_024, Some(larger));
    }
    match unit {
        None => octets.to_string(),
        Some(unit) if tenths.is_multiple_of(10) => format!("{}{unit}", tenths / 10),
        Some(unit) => format!("{}.{}{unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_however_they_are_spelt() {
        for (text, octets) in [
            ("0", 0),
            ("1024", 1_024),
            ("2G", 2 << 30),
            ("2g", 2 << 30),
            ("2GiB", 2 << 30),
            ("2 GB", 2 << 30),
            ("500M", 500 << 20),
            ("1T", 1 << 40),
            ("7B", 7),
            ("12K", 12 << 10),
        ] {
            assert_eq!(parse(text), Some(octets), "{text}");
        }
        for wrong in ["", "G", "-1", "1.5G", "2GG", "2X", "2Gi", "2IB", " 2", "99999999999T", "18446744073709551616"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_is_written() {
        for (octets, text) in [(0, "0"), (1, "1"), (1_024, "1K"), (2 << 30, "2G"), (500 << 20, "500M"), (1_500, "1500")]
        {
            assert_eq!(exact(octets), text);
        }
        for (octets, text) in
            [(0, "0"), (1_023, "1023"), (1_024, "1K"), (1_536, "1.5K"), (3_565_158, "3.3M"), (2 << 30, "2G")]
        {
            assert_eq!(about(octets), text);
        }
        assert!(about(u64::MAX).ends_with('T'));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(octets: u64) {
            prop_assert_eq!(parse(&exact(octets)), Some(octets));
        }

        #[test]
        fn nothing_breaks_it(text in ".{0,24}") {
            let _ = parse(&text);
        }
    }
}
