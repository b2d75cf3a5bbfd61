//! Lists of `tag=value;`, as DKIM keys, DMARC, MTA-STS and TLS-RPT records are written (RFC 6376 §3.2).

/// Tags that are read of one record.
const TAGS_MAX: usize = 64;

/// The tags of a record, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags<'t>(Vec<(&'t str, &'t str)>);

/// A record is no list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTags;

impl<'t> Tags<'t> {
    /// Reads them; white space around tags and values is no part of them. A tag stands once.
    pub fn parse(text: &'t str) -> Result<Self, NoTags> {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (tag, value) = part.split_once('=').ok_or(NoTags)?;
            let (tag, value) = (tag.trim(), value.trim());
            let sound = !tag.is_empty() && tag.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
            if !sound || tags.len() == TAGS_MAX || tags.iter().any(|(known, _)| *known == tag) {
                return Err(NoTags);
            }
            tags.push((tag, value));
        }
        Ok(Self(tags))
    }

    /// The value of a tag.
    pub fn value(&self, tag: &str) -> Option<&'t str> {
        self.0.iter().find(|(known, _)| *known == tag).map(|(_, value)| *value)
    }

    /// The tag that stands first.
    pub fn first(&self) -> Option<&'t str> {
        self.0.first().map(|(tag, _)| *tag)
    }
}

/// The texts that begin with a version, as `v=DMARC1`: only these are records of that kind.
pub fn versioned(texts: &[Vec<u8>], version: &str) -> Vec<String> {
    let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    texts.filter(|text| is_version(text, version)).collect()
}

fn is_version(text: &str, version: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    first.split_once('=').is_some_and(|(tag, value)| tag.trim() == "v" && value.trim() == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_blanks_around_them() {
        let tags = Tags::parse(" v = DMARC1 ;p=none; rua=mailto:a@b.example,mailto:c@d.example ;").unwrap();
        assert_eq!((tags.first(), tags.value("p"), tags.value("sp")), (Some("v"), Some("none"), None));
        for wrong in ["v", "=x", "a b=c", "p=none; p=reject", "p=none; reject"] {
            assert_eq!(Tags::parse(wrong), Err(NoTags), "{wrong}");
        }
        let many = |count: usize| (0..count).map(|at| format!("t{at}=")).collect::<Vec<_>>().join(";");
        assert!(Tags::parse(&many(TAGS_MAX)).is_ok());
        assert_eq!(Tags::parse(&many(TAGS_MAX + 1)), Err(NoTags));
    }

    #[test]
    fn only_a_version_makes_a_record() {
        let texts = [
            "v=DMARC1; p=none",
            "v = DMARC1",
            "v=DMARC10; p=none",
            "v=dmarc1; p=none",
            "V=DMARC1; p=none",
            "v=DMARC1 p=none",
            "v=spf1 -all",
            "p=none; v=DMARC1",
        ];
        let texts: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).to_vec();
        assert_eq!(versioned(&texts, "DMARC1"), ["v=DMARC1; p=none", "v = DMARC1"]);
    }
}
