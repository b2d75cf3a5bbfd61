//! The server's part of a backup, read by a thread of its own: of a running server, or of one that does not run.

use std::sync::Arc;
use std::thread;

use ::backup::picture::{Picture, WithMail};
use ::backup::pipe::{Chunk, pipe};
use ::backup::places::Places;
use config::Settings;
use tokio::sync::{mpsc::Receiver, watch};

use crate::border::Border;
use crate::open::open_queue;
use crate::start_error::StartError;

/// Of a running server. It breaks off when `stopping` turns true.
pub fn of_running(border: &Arc<Border>, mail: WithMail, stopping: watch::Receiver<bool>) -> Receiver<Chunk> {
    let border = Arc::clone(border);
    let (outlet, chunks) = pipe(move || *stopping.borrow());
    thread::spawn(move || {
        let settings = &border.site.load().settings;
        let places = Places::of(settings);
        Picture { places: &places, spool: &border.spool, hostname: &settings.hostname, mail }.send(outlet);
    });
    chunks
}

/// Of a server that does not run, and cannot start before it is read. Blocks until the queue is open.
pub fn of_stopped(settings: Settings, mail: WithMail) -> Result<Receiver<Chunk>, StartError> {
    let spool = open_queue(&settings)?;
    let (outlet, chunks) = pipe(|| false);
    thread::spawn(move || {
        let places = Places::of(&settings);
        Picture { places: &places, spool: &spool, hostname: &settings.hostname, mail }.send(outlet);
    });
    Ok(chunks)
}
