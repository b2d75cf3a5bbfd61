//! `sekisho top`, as it is typed.

use super::report::Lang;
use clap::Args;

/// `sekisho top`
#[derive(Debug, Clone, Args)]
pub struct Top {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub interval: u64,
    /// Print one picture as text and end; its rates are those of one interval
    #[arg(long)]
    pub once: bool,
    /// Language [default: that of the locale]
    #[arg(long)]
    pub lang: Option<Lang>,
}
