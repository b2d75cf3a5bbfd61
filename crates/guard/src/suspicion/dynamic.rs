//! Names that look like those of an end user's line: the six patterns of S25R ("Selective SMTP Rejection", Asami Hideo). Each
//! goes by the labels of a name; the first is the host's own.

/// Which of the patterns, by its number in the published list.
pub type Pattern = u8;

/// Whether the labels of a name fit a pattern.
type Fits = fn(&[&[u8]]) -> bool;

/// The first pattern that a name fits; `None`: it looks like a server's.
pub fn pattern(name: &str) -> Option<Pattern> {
    let name = name.to_ascii_lowercase();
    let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
    let rules: [(Pattern, Fits); 6] =
        [(1, two_numbers), (2, five_digits), (3, begins_with_a_digit), (4, hyphened), (5, deep), (6, line_kind)];
    rules.into_iter().find(|(_, fits)| fits(&labels)).map(|(number, _)| number)
}

/// 1: the first label holds two numbers with something between them, `220-139-165-188`, `host5b7`.
fn two_numbers(labels: &[&[u8]]) -> bool {
    let [first, _, ..] = labels else { return false };
    let mut numbers = 0;
    let mut within = false;
    for octet in *first {
        let digit = octet.is_ascii_digit();
        numbers += u8::from(digit && !within && numbers < 2);
        within = digit;
    }
    numbers >= 2
}

/// 2: the first label holds five digits in a row, `yahoobb220030220074`.
fn five_digits(labels: &[&[u8]]) -> bool {
    labels.first().is_some_and(|first| first.windows(5).any(|five| five.iter().all(u8::is_ascii_digit)))
}

/// 3: the first or the second label begins with a digit, and at least three are above it, the host's own not counted:
/// `398pkj.cm.chello.no`, `host.101.169.23.62.rev.coltfrance.com`.
fn begins_with_a_digit(labels: &[&[u8]]) -> bool {
    (0..2).any(|at| {
        let begins = labels.get(at).and_then(|label| label.first()).is_some_and(u8::is_ascii_digit);
        let above = labels.get(at + 3..).unwrap_or_default();
        begins && above.iter().any(|label| label.first().is_some_and(u8::is_ascii_alphabetic))
    })
}

/// 4: the first label ends in a digit, and the second holds two digits with a hyphen between them, `wbar9.chi1-4-11-085-222`.
fn hyphened(labels: &[&[u8]]) -> bool {
    let [first, second, ..] = labels else { return false };
    let pair = |three: &[u8]| matches!(three, [a, b'-', b] if a.is_ascii_digit() && b.is_ascii_digit());
    ends_in_a_digit(first) && second.windows(3).any(pair)
}

/// 5: five labels or more, of which the first two end in a digit, `d5.as28.nwbl0.wi.voyager.net`.
fn deep(labels: &[&[u8]]) -> bool {
    labels.len() >= 5 && ends_in_a_digit(labels[0]) && ends_in_a_digit(labels[1])
}

/// 6: the first label begins with a kind of line and holds a digit after it, `dhcp0339`, `ppp-7`, `adsl1`.
fn line_kind(labels: &[&[u8]]) -> bool {
    let Some(first) = labels.first() else { return false };
    let dsl = || {
        let rest = match first {
            [b'a' | b'c' | b'h' | b'r' | b's' | b'v' | b'x', rest @ ..] if rest.starts_with(b"dsl") => rest,
            all => all,
        };
        rest.strip_prefix(b"dsl")
    };
    let words: [&[u8]; 3] = [b"dhcp", b"dialup", b"ppp"];
    let after = words.iter().find_map(|word| first.strip_prefix(*word)).or_else(dsl);
    after.is_some_and(|after| after.iter().any(u8::is_ascii_digit))
}

fn ends_in_a_digit(label: &[u8]) -> bool {
    label.last().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_its_names_and_servers_have_none() {
        let table = [
            ("220-139-165-188.dynamic.hinet.example", Some(1)),
            ("evrtwa1-ar3-4-65-157-048.evrtwa1.dsl-verizon.example", Some(1)),
            ("a12a190.neo.rr.example", Some(1)),
            ("yahoobb220030220074.bbtec.example", Some(2)),
            ("pc12345.example", Some(2)),
            ("398pkj.cm.chello.example", Some(3)),
            ("host.101.169.23.62.rev.coltfrance.example", Some(3)),
            ("wbar9.chi1-4-11-085-222.dsl-verizon.example", Some(4)),
            ("d5.as28.nwbl0.wi.voyager.example", Some(5)),
            ("dhcp0339.vpm.resnet.group.upenn.example", Some(6)),
            ("PPP7.dyn.example", Some(6)),
            ("adsl-1.example", Some(6)),
            ("sdsl7.example", Some(6)),
            ("mail.example.com", None),
            ("mx1.example.com", None),
            ("mta7.am0.yahoodns.example", None),
            ("mail-a2.google.example", None),
            ("o1.ptr.example.com", None),
            ("1.mail.example", None),
            ("zdsl1.example", None),
            ("dslam.example", None),
            ("localhost", None),
            ("12", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(pattern(name), expected, "{name}");
        }
    }
}
