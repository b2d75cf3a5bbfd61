//! The running server in a terminal: looked at once (`sekisho status`), and again and again (`sekisho top`).
//!
//! | file | answers for |
//! |---|---|
//! | [`view`] | [`View`]: what was seen lately, and the rates that come of it |
//! | `draw` | the picture of it, for any size of terminal |
//! | `words` | how it speaks, in English and Japanese |
//! | [`run`] | asking the server, drawing, and obeying keys |
//! | [`screen`] | the lines of `sekisho status` |

mod draw;
pub mod run;
pub mod screen;
pub mod view;
mod words;

pub use run::{Settings, TopError, once, run};
pub use view::View;
