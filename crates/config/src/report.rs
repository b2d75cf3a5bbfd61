//! What is wrong with a configuration, all of it at once, each shown in its line.

use crate::source::{Position, Sources};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::{fmt, ops::Range, sync::Arc};

/// One mistake, where it stands, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// All mistakes of a configuration; never empty.
#[derive(Clone)]
pub struct Report {
    sources: Arc<Sources>,
    mistakes: Vec<Mistake>,
}

impl Report {
    pub(crate) fn new(sources: Arc<Sources>, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.span.start);
        Self { sources, mistakes }
    }

    /// The mistakes in the order of the file.
    pub fn mistakes(&self) -> impl Iterator<Item = (Position, &Mistake)> {
        self.mistakes.iter().map(|mistake| (self.sources.position(&mistake.span), mistake))
    }

    /// Each mistake with its line of the file, as a compiler shows it.
    pub fn render(&self, style: &Renderer) -> String {
        let shown: Vec<String> = self.mistakes.iter().map(|mistake| self.render_one(mistake, style)).collect();
        shown.join("\n\n")
    }

    fn render_one(&self, mistake: &Mistake, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(mistake.message.as_str());
        let Some(source) = self.sources.of(mistake.span.start) else { return mistake.message.clone() };
        let annotation = AnnotationKind::Primary.span(source.local(&mistake.span));
        let snippet = Snippet::source(source.text.as_str()).path(source.name.as_ref()).annotation(annotation);
        let group = title.element(snippet);
        let group = match &mistake.hint {
            Some(hint) => group.element(Level::HELP.message(hint.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// One line a mistake: `FILE:LINE:COLUMN: MESSAGE`.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistakes().try_for_each(|(place, mistake)| writeln!(f, "{place}: {}", mistake.message))
    }
}

impl std::error::Error for Report {}
