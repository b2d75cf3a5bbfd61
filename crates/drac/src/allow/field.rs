//! The lines of old, `NETMASK NETADDR`, octet for octet as the original reads them.

use std::net::Ipv4Addr;

use super::Entry;

/// Octets of a field for which the original has room; behind them it wrote over other memory.
const FIELD_OCTETS_MAX: usize = 31;

/// What is odd about a line, and in which column.
pub(super) type Oddity = (usize, String);

/// A mask and an address, as written and as meant.
pub(super) struct Fields<'a> {
    mask: Field<'a>,
    address: Field<'a>,
}

struct Field<'a> {
    text: &'a str,
    column: usize,
    /// `None`: not an address for `inet_addr`.
    value: Option<u32>,
}

impl<'a> Field<'a> {
    fn of(text: &'a str, column: usize) -> Self {
        Self { text, column, value: inet_addr(text) }
    }

    /// What the original takes it for.
    fn bits(&self) -> u32 {
        self.value.unwrap_or(u32::MAX)
    }

    /// As a dotted quad.
    fn quad(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.bits())
    }

    /// The writer may have meant another address: a number is octal, or there are not four.
    fn misleads(&self) -> bool {
        self.value.is_some() && self.text.parse::<Ipv4Addr>().is_err()
    }
}

impl<'a> Fields<'a> {
    /// Divides a line that does not begin with a blank. What is behind the second field is not looked at.
    pub(super) fn of(line: &'a [u8]) -> Result<Self, Oddity> {
        let mask = leading_number(line);
        let after = &line[mask.len()..];
        let blanks = after.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let address = leading_number(&after[blanks..]);
        if mask.is_empty() {
            return Err((
                1,
                "void: an entry is NETMASK NETADDR, both as numbers, or a network; names are not read".to_owned(),
            ));
        }
        let address_column = mask.len() + blanks + 1;
        if blanks == 0 && !after.is_empty() {
            return Err((
                address_column,
                "void: after NETMASK stands a blank and then NETADDR, nothing else".to_owned(),
            ));
        }
        if address.is_empty() {
            return Err((address_column, format!("void: NETADDR is missing{}", one_host(mask))));
        }
        for (field, column) in [(mask, 1), (address, address_column)] {
            if field.len() > FIELD_OCTETS_MAX {
                return Err((column, format!("void: a field has at most {FIELD_OCTETS_MAX} octets")));
            }
        }
        Ok(Self { mask: Field::of(mask, 1), address: Field::of(address, address_column) })
    }

    /// The entry; `None` if it matches nobody.
    pub(super) fn entry(&self) -> Option<Entry<u32>> {
        let (mask, address) = (self.mask.bits(), self.address.bits());
        (self.address.value.is_some() && address & mask == address).then_some(Entry { mask, address })
    }

    /// What the writer should look at.
    pub(super) fn oddities(&self) -> Vec<Oddity> {
        let mut found = Vec::new();
        for field in [&self.mask, &self.address] {
            if field.misleads() {
                let quad = field.quad();
                let why = if has_octal(field.text) {
                    "numbers with a leading 0 are octal"
                } else {
                    "it has not four numbers"
                };
                found.push((field.column, format!("`{}` means {quad}, since {why}; write `{quad}`", field.text)));
            }
        }
        if self.address.value.is_none() {
            found.push((self.address.column, "void: NETADDR is no address, so it matches nobody".to_owned()));
        } else if self.mask.value.is_none() {
            let quad = self.address.quad();
            let message = format!(
                "NETMASK is no address and counts as 255.255.255.255, so that {quad} alone is meant; \
                 write `255.255.255.255 {quad}` if it is"
            );
            found.push((1, message));
        } else if self.entry().is_none() {
            found.push((self.address.column, self.why_nobody()));
        }
        found
    }

    fn why_nobody(&self) -> String {
        let (mask, address) = (self.mask.quad(), self.address.quad());
        // Written the other way round it would match: the address, then a mask.
        if self.address.bits().leading_ones() == self.address.bits().count_ones() && self.address.bits() != 0 {
            let masked = Ipv4Addr::from_bits(self.mask.bits() & self.address.bits());
            return format!("void: it matches nobody; NETMASK comes first: write `{address} {masked}`");
        }
        let masked = Ipv4Addr::from_bits(self.mask.bits() & self.address.bits());
        format!("void: it matches nobody, since NETADDR has bits outside of NETMASK; write `{mask} {masked}`")
    }
}

fn one_host(mask: &str) -> String {
    match mask.parse::<Ipv4Addr>() {
        Ok(quad) => format!("; for this one address write `255.255.255.255 {quad}`"),
        Err(_) => String::new(),
    }
}

/// The digits and dots at the start.
fn leading_number(octets: &[u8]) -> &str {
    let length = octets.iter().take_while(|octet| octet.is_ascii_digit() || **octet == b'.').count();
    std::str::from_utf8(&octets[..length]).unwrap_or_default()
}

fn has_octal(text: &str) -> bool {
    text.split('.').any(|number| number.len() > 1 && number.starts_with('0'))
}

/// What C's `inet_addr` reads, in host order, of digits and dots: one to four numbers, the last of which fills what is left.
fn inet_addr(text: &str) -> Option<u32> {
    let numbers = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, leading) = numbers.split_last()?;
    if leading.len() > 3 || leading.iter().any(|number| *number > 0xff) {
        return None;
    }
    let shift = |place: usize| u32::BITS - 8 * u32::try_from(place + 1).unwrap_or(4);
    let high = leading.iter().enumerate().fold(0, |bits, (place, number)| bits | number << shift(place));
    let octets_left = 4 - u32::try_from(leading.len()).unwrap_or(3);
    let fits = octets_left == 4 || *last < 1 << (8 * octets_left);
    fits.then_some(high | last)
}

fn number(text: &str) -> Option<u32> {
    let radix = if text.len() > 1 && text.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let cases = [
            ("1.2.3.4", Some(0x0102_0304)),
            ("10", Some(10)),
            ("10.1", Some(0x0a00_0001)),
            ("10.1.2", Some(0x0a01_0002)),
            ("10.256", Some(0x0a00_0100)),
            ("10.1.65535", Some(0x0a01_ffff)),
            ("10.1.65536", None),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("10.16777215", Some(0x0aff_ffff)),
            ("10.16777216", None),
            ("010.0.0.010", Some(0x0800_0008)),
            ("0377.0.0.0", Some(0xff00_0000)),
            ("08.0.0.0", None),
            ("256.0.0.0", None),
            ("1.2.3.256", None),
            ("1.2.3.4.5", None),
            ("1..3.4", None),
            (".1.2.3", None),
            ("1.2.3.", None),
            ("", None),
            (".", None),
            ("00000000000000000000000000000001", Some(1)),
        ];
        for (text, expected) in cases {
            assert_eq!(inet_addr(text), expected, "{text:?}");
        }
    }
}
