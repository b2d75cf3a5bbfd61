//! What a word that is not known may have been meant for.

/// The candidate that is a slip of the finger away, if one is.
pub(crate) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let far = (word.chars().count() / 3).max(1);
    let measured = candidates.map(|it| (strsim::osa_distance(word, it), it));
    measured.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    #[test]
    fn distance_counts_slips() {
        let table = [
            ("hops", "hops", 0),
            ("hopps", "hops", 1),
            ("hpos", "hops", 1),
            ("", "abc", 3),
            ("netwrks", "networks", 1),
        ];
        for (a, b, expected) in table {
            assert_eq!(strsim::osa_distance(a, b), expected, "{a} {b}");
        }
    }
}
