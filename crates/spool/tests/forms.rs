//! Queues that earlier releases wrote are read, and go on: `data/form-1` holds one as release 0.1 ended it, and one as a kill
//! left it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;
mod queue_of_form;

use std::fs;
use std::path::Path;

use common::*;
use queue_of_form::{EARLY, LATE, Mail, config};
use spool::{Filter, Listed, RecipientState, Spool};

/// A copy of a queue, since opening one changes it.
fn copy_of(name: &str) -> tempfile::TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let dir = tempfile::tempdir().unwrap();
    for folder in ["segments", "large"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, dir.path().join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// The mails that wait in it.
fn waiting() -> impl Iterator<Item = &'static Mail> {
    EARLY.iter().chain(LATE).filter(|mail| !mail.is_done())
}

async fn as_it_was_written(spool: &Spool) {
    let listed = spool.list(&Filter { limit: 100, ..Filter::default() }).await;
    let find = |mail: &Mail| listed.iter().find(|listed| listed.session == mail.name);
    for mail in waiting() {
        let Listed { id, held, recipients, .. } = find(mail).unwrap_or_else(|| panic!("{} is missing", mail.name));
        assert_eq!(*held, mail.is_held(), "{}", mail.name);
        let states: Vec<RecipientState> = recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states, mail.states, "{}", mail.name);
        let (envelope, body) = spool.read(*id).await.unwrap();
        assert_eq!(envelope, mail.envelope(), "{}", mail.name);
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut body.reader(), &mut octets).unwrap();
        assert_eq!(octets, mail.body(), "{}", mail.name);
    }
}

#[tokio::test]
async fn a_queue_of_form_1_is_read_and_goes_on() {
    for name in ["form-1/closed", "form-1/killed"] {
        let dir = copy_of(name);
        let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
        let (damaged, missing) = (&recovery.damaged, &recovery.missing_bodies);
        assert!(damaged.is_empty() && missing.is_empty() && recovery.orphans == 0, "{name}: {recovery:?}");
        assert_eq!(recovery.messages, waiting().count(), "{name}");
        as_it_was_written(&spool).await;
        // Mail of this release comes behind; both are there after the next start.
        accept(&spool, "small", b"new").await;
        accept(&spool, "large", &octets(9, 5_000)).await;
        spool.close().await;
        drop(spool);
        let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
        assert_eq!((recovery.messages, recovery.damaged.len()), (waiting().count() + 2, 0), "{name}");
        as_it_was_written(&spool).await;
    }
}

/// What waits in old segments is copied forward in the new form.
#[tokio::test]
async fn old_segments_are_cleared() {
    let dir = copy_of("form-1/closed");
    let old = segments(dir.path());
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    for n in 0..120 {
        accept(&spool, "filler", &octets(n, 500)).await;
        let jobs = take_all(&spool, ARRIVED).await;
        for job in jobs.iter().filter(|job| job.envelope.reverse_path == "filler") {
            job.settle(vec![(0, delivered())]);
        }
    }
    spool.close().await;
    drop(spool);
    assert!(old.iter().all(|path| !path.exists()), "{old:?}");
    let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((recovery.messages, recovery.damaged.len()), (waiting().count(), 0));
    as_it_was_written(&spool).await;
}
