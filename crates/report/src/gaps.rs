//! What the records do not have: a page that is made of them says so.

use keep::Language;
use serde::Serialize;

/// Decisions that are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// Decisions that the store did not keep, since the server's start.
    pub dropped: u64,
    /// Stretches of the files that cannot be read.
    pub damaged: u64,
}

impl Gaps {
    /// A sentence for each kind.
    pub fn says(self, language: Language) -> Vec<String> {
        let Self { dropped, damaged } = self;
        let mut says = Vec::new();
        if dropped > 0 {
            says.push(language.pick(
                format!("{dropped} decisions were not kept (the disk was too slow or full) and are missing here."),
                format!("判定 {dropped} 件は、ディスクが遅いか満杯のため保存されず、この報告に含まれません。"),
            ));
        }
        if damaged > 0 {
            says.push(language.pick(
                format!("{damaged} stretches of the record files cannot be read and are missing here; see the log."),
                format!("記録ファイルの {damaged} か所が読めず、この報告に含まれません。ログを確認してください。"),
            ));
        }
        says
    }
}
