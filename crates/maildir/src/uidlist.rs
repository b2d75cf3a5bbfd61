//! `dovecot-uidlist`, version 3: which file has which unique-id. Read and written as Dovecot 2.x does: text, but for the file
//! names, which are octets.
//!
//! ```text
//! 3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1
//! 25006 :1276528487.M364837P9451.mail,S=1355,W=1394:2,
//! 25017 W2481 :1276533073.M242911P3632.mail:2,F
//! ```

use std::fmt::Write as _;

/// Longest uidlist that is read, in octets: some million messages.
pub const UIDLIST_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// What is wrong with a uidlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The first line is not one of version 1 or 3 with a UID validity.
    #[error("the first line is broken")]
    Header,
    /// A line that is none.
    #[error("line {line} is broken")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// UIDs must ascend.
    #[error("line {line}: UID out of order")]
    Order {
        /// Counted from 1.
        line: usize,
    },
}

/// A uidlist taken apart; everything borrows from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uidlist<'a> {
    /// UID validity; never 0.
    pub validity: u32,
    /// Lowest UID never given yet.
    pub next_uid: u32,
    /// Other fields of the first line, kept as they are (`G…`).
    pub header_rest: Vec<&'a str>,
    /// In ascending order of UID.
    pub records: Vec<Record<'a>>,
    /// Whether lines may be appended: it is version 3 and its last line is whole.
    pub appendable: bool,
}

/// One line: one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its UID; never 0.
    pub uid: u32,
    /// Extension fields as they stand, separated by blanks: `W` and `S` sizes, `P` POP3 unique-id, `O` order, `G` GUID.
    pub fields: &'a str,
    /// The file's name when the line was written; its flags may have changed since.
    pub file_name: &'a [u8],
}

impl<'a> Record<'a> {
    /// The value of the extension field `key`.
    pub fn field(&self, key: char) -> Option<&'a str> {
        self.fields.split(' ').find_map(|field| field.strip_prefix(key))
    }
}

impl<'a> Uidlist<'a> {
    /// The list of a mailbox that has none yet.
    pub fn new(validity: u32) -> Self {
        Self { validity, next_uid: 1, header_rest: Vec::new(), records: Vec::new(), appendable: false }
    }

    /// Takes a uidlist apart. A last line without its line feed is still being written and is not read.
    pub fn parse(text: &'a [u8]) -> Result<Self, Broken> {
        let whole = text.iter().rposition(|&octet| octet == b'\n').map_or(&text[..0], |end| &text[..end]);
        let mut lines = whole.split(|&octet| octet == b'\n');
        let header = std::str::from_utf8(lines.next().unwrap_or_default()).map_err(|_| Broken::Header)?;
        let mut list = match header.split_once(' ') {
            Some(("3", fields)) => Self::header_v3(fields),
            Some(("1", fields)) => Self::header_v1(fields),
            _ => None,
        }
        .ok_or(Broken::Header)?;
        let version_3 = list.appendable;
        list.appendable = version_3 && whole.len() + 1 == text.len();
        list.records.reserve(whole.len() / 80);
        let mut highest = 0;
        for (index, text) in lines.enumerate() {
            let line = index + 2;
            let record = if version_3 { Record::parse_v3(text) } else { Record::parse_v1(text) };
            let record = record.ok_or(Broken::Line { line })?;
            if record.uid <= highest || record.uid == u32::MAX {
                return Err(Broken::Order { line });
            }
            highest = record.uid;
            list.records.push(record);
        }
        list.next_uid = list.next_uid.max(highest.saturating_add(1));
        Ok(list)
    }

    fn header_v3(fields: &'a str) -> Option<Self> {
        let (mut validity, mut next_uid, mut header_rest) = (0, 1, Vec::new());
        for field in fields.split(' ').filter(|field| !field.is_empty()) {
            if let Some(value) = field.strip_prefix('V') {
                validity = value.parse().ok()?;
            } else if let Some(value) = field.strip_prefix('N') {
                next_uid = value.parse().ok()?;
            } else {
                header_rest.push(field);
            }
        }
        (validity != 0 && next_uid != 0).then_some(Self {
            next_uid,
            header_rest,
            appendable: true,
            ..Self::new(validity)
        })
    }

    /// Dovecot 1.0: `1 <validity> <next uid>`, then `<uid> <file name>`. It is written anew as version 3.
    fn header_v1(fields: &'a str) -> Option<Self> {
        let (validity, next_uid) = fields.split_once(' ')?;
        let (validity, next_uid) = (validity.parse().ok()?, next_uid.parse().ok()?);
        (validity != 0 && next_uid != 0).then_some(Self { next_uid, ..Self::new(validity) })
    }

    /// The first line, with its line feed.
    pub fn header(&self) -> String {
        let mut line = format!("3 V{} N{}", self.validity, self.next_uid);
        for field in &self.header_rest {
            let _ = write!(line, " {field}");
        }
        line.push('\n');
        line
    }
}

impl<'a> Record<'a> {
    fn parse_v3(line: &'a [u8]) -> Option<Self> {
        let (uid, rest) = split_at_blank(line)?;
        let (fields, file_name) = if let Some(file_name) = rest.strip_prefix(b":") {
            (&rest[..0], file_name)
        } else {
            let end = rest.windows(2).position(|pair| pair == b" :")?;
            (&rest[..end], &rest[end + 2..])
        };
        let fields = std::str::from_utf8(fields).ok()?.trim_matches(' ');
        (!file_name.is_empty()).then_some(Self { uid: parse_uid(uid)?, fields, file_name })
    }

    fn parse_v1(line: &'a [u8]) -> Option<Self> {
        let (uid, file_name) = split_at_blank(line)?;
        (!file_name.is_empty()).then_some(Self { uid: parse_uid(uid)?, fields: "", file_name })
    }

    /// Appends the line, with its line feed.
    pub fn write(&self, out: &mut Vec<u8>) {
        let blank = if self.fields.is_empty() { "" } else { " " };
        out.extend_from_slice(format!("{} {}{blank}:", self.uid, self.fields).as_bytes());
        out.extend_from_slice(self.file_name);
        out.push(b'\n');
    }
}

fn split_at_blank(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|&octet| octet == b' ')?;
    Some((&line[..end], &line[end + 1..]))
}

fn parse_uid(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&uid| uid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OF_DOVECOT: &str = "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n\
        25006 :1276528487.M364837P9451.mail,S=1355,W=1394:2,\n\
        25017 W2481 Pold:uid.7 :1276533073.M242911P3632.mail:2,F\n";

    fn print(list: &Uidlist<'_>) -> String {
        let mut text = list.header().into_bytes();
        for record in &list.records {
            record.write(&mut text);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let list = Uidlist::parse(OF_DOVECOT.as_bytes()).unwrap();
        assert_eq!((list.validity, list.next_uid, list.appendable), (1_275_660_208, 25022, true));
        assert_eq!(list.records[1].field('W'), Some("2481"));
        assert_eq!(list.records[1].field('P'), Some("old:uid.7"));
        assert_eq!(list.records[1].file_name, b"1276533073.M242911P3632.mail:2,F");
        assert_eq!(print(&list), OF_DOVECOT);
    }

    #[test]
    fn a_torn_last_line_is_not_read_nor_appended_to() {
        let list = Uidlist::parse(&OF_DOVECOT.as_bytes()[..OF_DOVECOT.len() - 3]).unwrap();
        assert_eq!((list.records.len(), list.next_uid, list.appendable), (1, 25022, false));
    }

    #[test]
    fn appended_uids_raise_the_next_one() {
        let list = Uidlist::parse(b"3 V1 N2\n7 :a\n").unwrap();
        assert_eq!(list.next_uid, 8);
    }

    #[test]
    fn a_file_name_is_octets() {
        let text = b"3 V1 N9\n7 W5 :caf\xe9:2,S\n";
        let list = Uidlist::parse(text).unwrap();
        assert_eq!((list.records[0].field('W'), list.records[0].file_name), (Some("5"), &b"caf\xe9:2,S"[..]));
        let mut again = list.header().into_bytes();
        list.records[0].write(&mut again);
        assert_eq!(again, text);
        assert_eq!(Uidlist::parse(b"3 V1 N9\n7 W\xe9 :a\n"), Err(Broken::Line { line: 2 }));
    }

    #[test]
    fn version_1_is_read_and_not_appended_to() {
        let list = Uidlist::parse(b"1 100 6\n5 a b:2,S\n").unwrap();
        assert_eq!((list.validity, list.records[0].file_name, list.appendable), (100, &b"a b:2,S"[..], false));
    }

    #[test]
    fn broken_table() {
        for (text, broken) in [
            ("", Broken::Header),
            ("3 V1 N2", Broken::Header),
            ("3 V0 N2\n", Broken::Header),
            ("3 N2\n", Broken::Header),
            ("2 V1 N2\n", Broken::Header),
            ("3 V99999999999 N2\n", Broken::Header),
            ("3 V1 N2\nx :a\n", Broken::Line { line: 2 }),
            ("3 V1 N2\n+1 :a\n", Broken::Line { line: 2 }),
            ("3 V1 N2\n0 :a\n", Broken::Line { line: 2 }),
            ("3 V1 N2\n1 W5\n", Broken::Line { line: 2 }),
            ("3 V1 N2\n1 :\n", Broken::Line { line: 2 }),
            ("3 V1 N2\n1 :a\n1 :b\n", Broken::Order { line: 3 }),
            ("3 V1 N2\n2 :a\n1 :b\n", Broken::Order { line: 3 }),
            ("3 V1 N2\n4294967295 :a\n", Broken::Order { line: 2 }),
        ] {
            assert_eq!(Uidlist::parse(text.as_bytes()).unwrap_err(), broken, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(
            validity in 1u32.., uids in proptest::collection::btree_set(1u32..u32::MAX, 0..20),
            fields in "(W[0-9]{1,5})?( P[a-z:]{1,9})?", file_name in "[a-zA-Z0-9.,=_-]{1,20}(:2,[A-Z]{0,3})?",
        ) {
            let records: Vec<_> = uids
                .iter()
                .map(|&uid| Record { uid, fields: fields.trim(), file_name: file_name.as_bytes() })
                .collect();
            let next_uid = uids.last().map_or(1, |last| last + 1);
            let list = Uidlist { validity, next_uid, header_rest: vec!["Gabc"], records, appendable: true };
            let text = print(&list);
            prop_assert_eq!(Uidlist::parse(text.as_bytes()).unwrap(), list);
        }

        #[test]
        fn no_text_panics(text in "[31 VN0-9:\n]{0,60}") {
            let _ = Uidlist::parse(text.as_bytes());
        }
    }
}
