//! Asking the server, drawing, and obeying keys.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use admin::client::{Client, ClientError};
use admin::wire::{Activity, Records};
use keep::Language;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Terminal};
use tokio::sync::mpsc;

use crate::draw::{Manner, draw};
use crate::view::View;
use crate::words::Words;

/// Seconds between two looks, at least and at most.
const SECS: std::ops::RangeInclusive<u64> = 1..=60;
/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Decisions that are asked for: as many as a tall terminal shows.
const DECISIONS: usize = 60;
/// The size of a picture where no terminal tells one.
const SIZE: (u16, u16) = (110, 40);

/// What is looked at, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The admin socket.
    pub socket: PathBuf,
    /// The server's name.
    pub host: String,
    /// In which language.
    pub language: Language,
    /// Seconds between two looks.
    pub secs: u64,
    /// With colours.
    pub colours: bool,
}

impl Settings {
    fn manner(&self) -> Manner {
        Manner { words: Words(self.language), colours: self.colours, secs: self.secs }
    }
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The server does not answer.
    #[error(transparent)]
    Server(#[from] ClientError),
    /// The terminal does not do what it should.
    #[error("terminal: {0}")]
    Terminal(#[from] io::Error),
    /// It is no terminal.
    #[error("standard output is no terminal; for one picture as text: sekisho top --once")]
    NoTerminal,
}

/// One picture as text, of two looks a while apart.
pub async fn once(settings: &Settings) -> Result<String, TopError> {
    let mut view = View::new(&settings.host);
    let mut client = Client::connect(&settings.socket).await?;
    look(&mut client, &mut view).await?;
    tokio::time::sleep(Duration::from_secs(settings.secs)).await;
    look(&mut client, &mut view).await?;
    let of_terminal = io::stdout().is_terminal().then(ratatui::crossterm::terminal::size);
    let (columns, lines) = of_terminal.and_then(Result::ok).unwrap_or(SIZE);
    Ok(picture(&view, settings, columns, lines))
}

/// The picture as text.
pub(crate) fn picture(view: &View, settings: &Settings, columns: u16, lines: u16) -> String {
    // It writes into memory: it cannot fail.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, lines));
    let Ok(_) = terminal.draw(|frame| draw(view, settings.manner(), frame));
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..lines {
        let mut line = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            line += symbol;
            // A wide character fills the cell behind it too.
            x += u16::try_from(ratatui::text::Span::raw(symbol).width().max(1)).unwrap_or(1);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// Shows the server until the user has seen enough.
pub async fn run(settings: Settings) -> Result<(), TopError> {
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let client = Client::connect(&settings.socket).await?;
    let keys = keys();
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, settings, client, keys).await;
    ratatui::try_restore()?;
    ended
}

async fn watch(
    terminal: &mut DefaultTerminal,
    mut settings: Settings,
    client: Client,
    mut keys: mpsc::Receiver<Event>,
) -> Result<(), TopError> {
    let mut view = View::new(&settings.host);
    let mut client = Some(client);
    let mut due = tokio::time::Instant::now();
    loop {
        terminal.draw(|frame| draw(&view, settings.manner(), frame))?;
        tokio::select! {
            event = keys.recv() => match event.as_ref().map(meant) {
                None | Some(Meant::End) => return Ok(()),
                Some(Meant::Pause) => view.paused = !view.paused,
                Some(Meant::Slower) => settings.secs = (settings.secs + 1).min(*SECS.end()),
                Some(Meant::Faster) => settings.secs = settings.secs.saturating_sub(1).max(*SECS.start()),
                Some(Meant::Redraw) => {}
            },
            () = tokio::time::sleep_until(due) => {
                if !view.paused {
                    ask(&settings, &mut client, &mut view).await;
                }
                due = tokio::time::Instant::now() + Duration::from_secs(settings.secs);
            }
        }
    }
}

/// Looks once; a server that does not answer is asked again the next time.
async fn ask(settings: &Settings, client: &mut Option<Client>, view: &mut View) {
    let looked = async {
        if client.is_none() {
            *client = Some(Client::connect(&settings.socket).await?);
        }
        match client {
            Some(client) => look(client, view).await,
            None => Ok(()),
        }
    };
    let fault = match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    *client = None;
    view.fault = Some(fault);
}

async fn look(client: &mut Client, view: &mut View) -> Result<(), ClientError> {
    let activity: Activity = client.get("/v1/activity").await?;
    // That no records are kept is no fault.
    let records: Option<Records> = client.get(&format!("/v1/records?limit={DECISIONS}")).await.ok();
    view.see(activity, records.map(|found| found.records));
    Ok(())
}

/// Keys, from a thread that waits for them; it ends with the process.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What a key means.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    End,
    Pause,
    Slower,
    Faster,
    Redraw,
}

fn meant(event: &Event) -> Meant {
    let Event::Key(key) = event else { return Meant::Redraw };
    if key.kind == KeyEventKind::Release {
        return Meant::Redraw;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Meant::End,
        KeyCode::Char('q') | KeyCode::Esc => Meant::End,
        KeyCode::Char('p' | ' ') => Meant::Pause,
        KeyCode::Char('+') => Meant::Slower,
        KeyCode::Char('-') => Meant::Faster,
        _ => Meant::Redraw,
    }
}
