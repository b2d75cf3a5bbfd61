//! What a terminal needs, and who sits before it: tables that fit, times as the clock on the wall has them, colour, passwords without
//! echo, a sign that long work goes on. It knows nothing of mail.
//!
//! | file | what |
//! |---|---|
//! | `table` | columns that fit the width |
//! | `text` | what strangers wrote, made harmless; widths |
//! | `time` | local time, and how long ago or in what time that is |
//! | `secret` | passwords from the terminal or from standard input |
//! | `progress` | long work |

pub mod progress;
pub mod secret;
pub mod table;
mod text;
pub mod time;

pub use text::{clipped, columns, printable};

use std::io::{self, IsTerminal as _, Write as _};

/// What a terminal has that does not tell its width.
const COLUMNS_UNKNOWN: usize = 80;

/// The columns of standard output; `None`: it is no terminal, and lines may be as long as they are.
pub fn width() -> Option<usize> {
    let out = io::stdout();
    out.is_terminal().then(|| terminal_size::terminal_size_of(out).map_or(COLUMNS_UNKNOWN, |(width, _)| width.0.into()))
}

/// Prints a text with its colours: those only where standard output is a terminal and `NO_COLOR` is not set. A reader that has
/// seen enough (`| head`) is no error.
pub fn print(text: &str) -> io::Result<()> {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// The same for octets that are what was asked for, and stay as they are.
pub fn print_bare(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
