//! The languages in which people are spoken to.

use std::env;

/// One of them. Logs and replies of mail protocols are in English always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// That of the environment: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set (POSIX.1-2024 §8.2). What is not
    /// written in UTF-8 is English.
    pub fn of_locale() -> Self {
        let variables = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter();
        let set = variables.filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty());
        set.map(|locale| Self::of(&locale)).unwrap_or_default()
    }

    /// That of a locale such as `ja_JP.UTF-8`, or of a bare tag such as `ja` (RFC 5646).
    pub fn of(locale: &str) -> Self {
        let (language, encoding) = locale.split_once('.').unwrap_or((locale, "utf-8"));
        let encoding = encoding.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let is_utf8 = matches!(encoding.as_str(), "utf-8" | "utf8");
        let is_japanese = language.split(['_', '-', '@']).next().is_some_and(|tag| tag.eq_ignore_ascii_case("ja"));
        if is_japanese && is_utf8 { Self::Japanese } else { Self::English }
    }

    /// Its tag (RFC 5646).
    pub fn tag(self) -> &'static str {
        self.pick("en", "ja")
    }

    /// The one of two that is in this language.
    pub fn pick<T>(self, english: T, japanese: T) -> T {
        match self {
            Self::English => english,
            Self::Japanese => japanese,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_lead_to_languages() {
        let japanese = ["ja", "ja_JP.UTF-8", "ja_JP.utf8", "ja-JP", "ja_JP.UTF-8@x", "JA"];
        let english = ["", "C", "POSIX", "en_GB.UTF-8", "ja_JP.eucJP", "ja_JP.SJIS", "jav_ID.UTF-8", "C.UTF-8"];
        assert!(japanese.iter().all(|locale| Language::of(locale) == Language::Japanese));
        assert!(english.iter().all(|locale| Language::of(locale) == Language::English));
    }
}
