use super::*;
use bdb::Reader;
use guard::{PopSource, Subject};
use state::{PopLogin, Revoke};

const LIFE: Duration = Duration::from_mins(30);

fn login(addr: &str) -> PopLogin {
    PopLogin {
        addr: addr.parse().unwrap(),
        subject: Subject::Server([127, 0, 0, 1].into()),
        source: PopSource::Drac,
        device: None,
    }
}

struct Kept {
    dir: tempfile::TempDir,
    state: Arc<State>,
    exporter: Exporter,
}

impl Kept {
    async fn start(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(State::open(dir.path().join("state")).unwrap());
        let target = Target { kind, path: dir.path().join("relay.db") };
        let exporter = Exporter::start(target, Arc::clone(&state)).await.unwrap();
        Self { dir, state, exporter }
    }

    /// The entries, once the file has followed what was done.
    async fn now(&self) -> Vec<(String, String)> {
        let count = *self.state.changes().borrow();
        let mut written = self.exporter.written();
        written.wait_for(|written| written.changes >= count).await.unwrap();
        self.entries()
    }

    fn entries(&self) -> Vec<(String, String)> {
        let image = std::fs::read(self.dir.path().join("relay.db")).unwrap();
        let reader = Reader::new(&image).unwrap();
        let text = |octets: std::borrow::Cow<'_, [u8]>| String::from_utf8(octets.into_owned()).unwrap();
        let mut all: Vec<_> =
            reader.iter().map(|pair| pair.unwrap()).map(|(key, value)| (text(key), text(value))).collect();
        all.sort();
        all
    }

    async fn keys(&self) -> Vec<String> {
        self.now().await.into_iter().map(|(key, _)| key).collect()
    }
}

#[tokio::test]
async fn the_file_follows_the_evidence() {
    for kind in [Kind::Btree, Kind::Hash] {
        let kept = Kept::start(kind).await;
        assert!(kept.entries().is_empty(), "an empty file is one, too");
        let mut ends = Vec::new();
        for addr in ["192.0.2.7", "192.0.2.8", "2001:db8::7"] {
            ends.push(kept.state.record(login(addr), LIFE).await.unwrap().expires_at);
        }
        let account = PopLogin { subject: Subject::Account("alice@example.test".to_owned()), ..login("192.0.2.7") };
        ends[0] = kept.state.record(account, LIFE * 2).await.unwrap().expires_at;
        let at = |end: &SystemTime| end.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let keys = ["192.0.2.7", "192.0.2.8", "2001:db8::7"].map(str::to_owned);
        let expected: Vec<_> = keys.into_iter().zip(ends.iter().map(at)).collect();
        assert_eq!(kept.now().await, expected, "one entry an address, with its latest expiry");
        kept.state.revoke(Revoke::Addr("192.0.2.8".parse().unwrap())).await.unwrap();
        assert_eq!(kept.keys().await, ["192.0.2.7", "2001:db8::7"]);
        let path = kept.dir.path().join("relay.db");
        kept.exporter.stop().await;
        assert_eq!(Reader::new(&std::fs::read(path).unwrap()).unwrap().iter().count(), 0, "emptied at the end");
    }
}

#[tokio::test]
async fn what_expires_leaves_the_file_by_itself() {
    let kept = Kept::start(Kind::Btree).await;
    kept.state.record(login("192.0.2.7"), Duration::from_millis(700)).await.unwrap();
    kept.state.record(login("192.0.2.8"), LIFE).await.unwrap();
    assert_eq!(kept.keys().await.len(), 2);
    let mut written = kept.exporter.written();
    while kept.entries().len() == 2 {
        tokio::time::timeout(Duration::from_mins(1), written.changed()).await.expect("another write").unwrap();
    }
    assert_eq!(kept.entries()[0].0, "192.0.2.8");
}

#[tokio::test]
async fn nothing_is_in_the_file_while_nobody_can_be_asked() {
    let kept = Kept::start(Kind::Btree).await;
    kept.state.record(login("192.0.2.7"), LIFE).await.unwrap();
    assert_eq!(kept.keys().await, ["192.0.2.7"]);
    kept.state.close();
    let mut written = kept.exporter.written();
    written.wait_for(|written| !written.is_good).await.unwrap();
    assert!(kept.entries().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_told_at_the_start_and_later_by_its_health() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(State::open(dir.path().join("state")).unwrap());
    let target = Target { kind: Kind::Hash, path: dir.path().join("none/relay.db") };
    let error = Exporter::start(target.clone(), Arc::clone(&state)).await.unwrap_err();
    assert!(error.to_string().contains("none/relay.db"), "{error}");
    std::fs::create_dir(dir.path().join("none")).unwrap();
    let exporter = Exporter::start(target, Arc::clone(&state)).await.unwrap();
    let mut written = exporter.written();
    std::fs::rename(dir.path().join("none"), dir.path().join("gone")).unwrap();
    state.record(login("192.0.2.7"), LIFE).await.unwrap();
    written.wait_for(|written| !written.is_good).await.unwrap();
    std::fs::rename(dir.path().join("gone"), dir.path().join("none")).unwrap();
    written.wait_for(|written| written.is_good).await.unwrap();
    let image = std::fs::read(dir.path().join("none/relay.db")).unwrap();
    assert_eq!(Reader::new(&image).unwrap().iter().count(), 1);
}

#[tokio::test]
async fn a_file_that_somebody_removed_or_damaged_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(State::open(dir.path().join("state")).unwrap());
    state.record(login("192.0.2.7"), LIFE).await.unwrap();
    let path = dir.path().join("relay.db");
    let target = Target { kind: Kind::Hash, path: path.clone() };
    let look = Duration::from_millis(20);
    let exporter = Exporter::start_looking(target, Arc::clone(&state), look).await.unwrap();
    let image = std::fs::read(&path).unwrap();
    let mut written = exporter.written();
    written.mark_unchanged();
    let damages: [&dyn Fn(); 5] = [
        &|| std::fs::remove_file(&path).unwrap(),
        &|| std::fs::write(&path, b"").unwrap(),
        &|| std::fs::write(&path, vec![0xff; image.len()]).unwrap(),
        &|| std::fs::write(&path, &image[..image.len() / 2]).unwrap(),
        // Another program's whole file is none of ours either.
        &|| {
            std::fs::write(dir.path().join("other"), bdb::write(Kind::Btree, &[("10.0.0.1", "1")]).unwrap()).unwrap();
            std::fs::rename(dir.path().join("other"), &path).unwrap();
        },
    ];
    for damage in damages {
        damage();
        tokio::time::timeout(Duration::from_mins(1), written.changed()).await.expect("another write").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), image);
    }
}
