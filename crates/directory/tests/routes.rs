//! Where addresses lead, out of a real database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Place, account, hollow, key, one_domain};
use directory::{AliasFault, Directory, DirectoryError, Hosting, NewAccount, OpenError, ServerKey, Settings, Target};
use proptest::prelude::*;
use sqlx::Connection as _;

async fn ask(directory: &Directory, address: &str) -> (Hosting, Vec<String>) {
    let (local, domain) = address.rsplit_once('@').unwrap();
    let resolution = directory.resolve(local, domain, false).await.unwrap();
    let name = |target: &Target| match target {
        Target::Account { login, .. } => login.to_string(),
        Target::Forward { address } => format!("-> {address}"),
    };
    let mut names: Vec<_> = resolution.targets.iter().map(name).collect();
    names.sort();
    (resolution.hosting, names)
}

async fn owners(directory: &Directory, address: &str) -> Vec<String> {
    let (local, domain) = address.rsplit_once('@').unwrap();
    directory.owners(local, domain, false).await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_site_with_two_domains() {
    let (_place, directory) = one_domain().await;
    directory.add_domain("Other.Test").await.unwrap();
    for login in ["Alice", "bob@example.test", "alice@other.test"] {
        directory.create_account(hollow(login)).await.unwrap();
    }
    directory.add_address("alice", "Alice.Liddell@other.test").await.unwrap();
    directory.add_alias("sales@other.test", &["alice", "Bob@Example.Test", "Carol@Else.Test"]).await.unwrap();
    let (alice, bob) = ("alice@example.test".to_owned(), "bob@example.test".to_owned());
    for (asked, hosting, targets) in [
        ("ALICE@EXAMPLE.TEST", Hosting::Mailbox, vec![alice.clone()]),
        ("alice+news@example.test", Hosting::Mailbox, vec![alice.clone()]),
        ("alice.liddell@other.test", Hosting::Mailbox, vec![alice.clone()]),
        ("alice@other.test", Hosting::Mailbox, vec!["alice@other.test".to_owned()]),
        ("bob@other.test", Hosting::UnknownUser, vec![]),
        ("sales@other.test", Hosting::Alias, vec!["-> Carol@else.test".to_owned(), alice.clone(), bob.clone()]),
        ("alice@else.test", Hosting::NotHosted, vec![]),
        ("alice@sub.example.test", Hosting::NotHosted, vec![]),
        ("alice@192.0.2.1", Hosting::NotHosted, vec![]),
        ("@example.test", Hosting::UnknownUser, vec![]),
        ("postmaster@example.test", Hosting::UnknownUser, vec![]),
    ] {
        // The second answer comes from memory and is the same.
        for _ in 0..2 {
            assert_eq!(ask(&directory, asked).await, (hosting, targets.clone()), "{asked}");
        }
    }
    assert_eq!(owners(&directory, "alice.liddell+x@other.test").await, ["alice@example.test"]);
    assert_eq!(owners(&directory, "sales@other.test").await, [alice, bob]);
    assert!(owners(&directory, "carol@else.test").await.is_empty());
    assert!(owners(&directory, "nobody@example.test").await.is_empty());
    assert!(directory.is_hosted("EXAMPLE.test").await.unwrap());
    assert!(!directory.is_hosted("else.test").await.unwrap());
    assert!(!directory.is_hosted("").await.unwrap());
}

#[tokio::test]
async fn a_catch_all_takes_no_routes_and_owns_nothing() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    directory.set_catch_all("example.test", Some("alice")).await.unwrap();
    assert_eq!(ask(&directory, "stranger@example.test").await.0, Hosting::CatchAll);
    assert!(owners(&directory, "stranger@example.test").await.is_empty());
    for route in ["victim%else.test", "victim@else.test", "else.test!victim", "alice"] {
        for _ in 0..2 {
            let resolution = directory.resolve(route, "example.test", true).await.unwrap();
            assert_eq!(resolution.hosting, Hosting::UnknownUser, "{route}");
        }
    }
    directory.set_catch_all("example.test", None).await.unwrap();
    assert_eq!(ask(&directory, "stranger@example.test").await.0, Hosting::UnknownUser);
}

#[tokio::test]
async fn postmaster_falls_to_the_configured_account() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    directory.create_account(hollow("bob")).await.unwrap();
    directory.set_catch_all("example.test", Some("bob")).await.unwrap();
    let settings = directory.settings();
    directory.set_settings(Settings { postmaster: Some("alice".to_owned()), ..(*settings).clone() }).unwrap();
    for asked in ["postmaster@example.test", "PostMaster@example.test"] {
        assert_eq!(ask(&directory, asked).await, (Hosting::Alias, vec!["alice@example.test".to_owned()]));
    }
    directory.add_alias("postmaster", &["bob"]).await.unwrap();
    assert_eq!(ask(&directory, "postmaster@example.test").await.1, ["bob@example.test"]);
    for (delimiter, postmaster) in [(Some('@'), None), (Some('a'), None), (None, Some("a%b@example.test".to_owned()))] {
        let bad = Settings { detail_delimiter: delimiter, postmaster, ..(*settings).clone() };
        assert!(directory.set_settings(bad).is_err());
    }
}

#[tokio::test]
async fn another_delimiter_and_none() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    let settings = directory.settings();
    directory.set_settings(Settings { detail_delimiter: Some('-'), ..(*settings).clone() }).unwrap();
    assert_eq!(ask(&directory, "alice-x@example.test").await.0, Hosting::Mailbox);
    assert_eq!(ask(&directory, "alice+x@example.test").await.0, Hosting::UnknownUser);
    directory.set_settings(Settings { detail_delimiter: None, ..(*settings).clone() }).unwrap();
    assert_eq!(ask(&directory, "alice-x@example.test").await.0, Hosting::UnknownUser);
}

/// Writes an alias as an older version would have.
async fn old_alias(place: &Place, address: &str, target: &str) {
    let url = format!("sqlite://{}", place.path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let add = sqlx::query("insert into alias (address, target, domain) values (?1, ?2, 'example.test')");
    let full = |name: &str| if name.contains('@') { name.to_owned() } else { format!("{name}@example.test") };
    add.bind(full(address)).bind(full(target)).execute(&mut connection).await.unwrap();
}

fn conflict(done: Result<(), DirectoryError>) -> String {
    match done.unwrap_err() {
        DirectoryError::Conflict(told) | DirectoryError::OtherKind(told) => told,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_old_alias_that_leads_to_nobody_is_a_fault_for_good_and_can_be_mended() {
    let (place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    for (address, target) in [("a", "b"), ("b", "a"), ("gone", "ghost"), ("taken", "alice"), ("taken", "ghost")] {
        old_alias(&place, address, target).await;
    }
    for number in 0..12 {
        old_alias(&place, &format!("deep{number}"), &format!("deep{}", number + 1)).await;
    }
    old_alias(&place, "deep12", "x@else.test").await;
    let asked = Instant::now();
    for (asked, told) in [
        ("a", "address a@example.test: it is a loop: a@example.test > b@example.test > a@example.test"),
        ("gone", "address gone@example.test: nobody has the address it leads to: ghost@example.test"),
        ("deep0", "address deep0@example.test: more than 10 aliases one behind the other"),
    ] {
        let error = directory.resolve(asked, "example.test", false).await.unwrap_err();
        assert!(!error.is_temporary() && matches!(error, DirectoryError::Alias { .. }));
        assert_eq!(error.to_string(), told);
    }
    println!("three faults in {:?}", asked.elapsed());
    assert_eq!(ask(&directory, "taken@example.test").await.1, ["alice@example.test"]);
    let last = conflict(directory.delete_account("alice").await);
    assert!(last.contains("the alias taken@example.test leads"), "{last}");
    directory.remove_alias("a", None).await.unwrap();
    directory.remove_alias("b", None).await.unwrap();
    assert_eq!(ask(&directory, "a@example.test").await.0, Hosting::UnknownUser);
}

#[tokio::test]
async fn what_would_lead_to_nobody_is_not_made() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    let refused = |done: Result<(), DirectoryError>| match done.unwrap_err() {
        DirectoryError::Alias { fault, .. } => fault.to_string(),
        other => panic!("{other}"),
    };
    assert_eq!(
        refused(directory.add_alias("a", &["ghost", "alice"]).await),
        "nobody has the address it leads to: ghost@example.test"
    );
    assert!(refused(directory.add_alias("self", &["self"]).await).contains("self@example.test > self@example.test"));
    directory.add_alias("a", &["alice", "x@else.test"]).await.unwrap();
    for number in 1..8 {
        let before = if number == 1 { "a".to_owned() } else { format!("a{}", number - 1) };
        directory.add_alias(&format!("a{number}"), &[before]).await.unwrap();
    }
    assert!(refused(directory.add_alias("a", &["A7+x"]).await).starts_with("it is a loop: a@example.test > a7+x@"));
    assert!(
        refused(directory.add_alias("a", &["alice", "a7"]).await).starts_with("it is a loop: a@example.test > a7@")
    );
    assert_eq!(ask(&directory, "a7@example.test").await.1, ["-> x@else.test", "alice@example.test"]);

    let taker = conflict(directory.set_catch_all("example.test", Some("ghost")).await);
    assert!(taker.contains("nobody has the address ghost@example.test"), "{taker}");
    assert!(conflict(directory.put_domain("new.test", Some("ghost@new.test")).await).contains("ghost@new.test"));
    assert!(!directory.is_hosted("new.test").await.unwrap(), "what was refused was half done");
    directory.put_domain("new.test", Some("a7")).await.unwrap();
    directory.put_domain("other.test", Some("who@new.test")).await.unwrap();
    let wide: Vec<_> = (0..999).map(|number| format!("u{number}@else.test")).collect();
    directory.add_alias("wide", &wide).await.unwrap();
    assert_eq!(ask(&directory, "wide@example.test").await.1.len(), 999);
    assert!(matches!(directory.add_alias("wide", &["alice"]).await, Err(DirectoryError::Invalid { .. })));
    let wider = directory.add_alias("wider", &["wide", "x@else.test"]).await.unwrap_err();
    assert!(matches!(wider, DirectoryError::Alias { fault: AliasFault::TooWide, .. }), "{wider}");
}

#[tokio::test]
async fn no_alias_takes_an_accounts_mail_away() {
    let (_place, directory) = one_domain().await;
    for login in ["alice", "bob"] {
        directory.create_account(hollow(login)).await.unwrap();
    }
    directory.add_address("alice", "al").await.unwrap();
    for address in ["alice", "ALICE@example.test", "al"] {
        let told = conflict(directory.add_alias(address, &["bob", "x@else.test"]).await);
        assert!(
            told.contains("an address of the account alice@example.test") && told.contains("--keep-copy"),
            "{told}"
        );
    }
    assert_eq!(ask(&directory, "alice@example.test").await, (Hosting::Mailbox, vec!["alice@example.test".to_owned()]));
    directory.add_alias_keeping_copy("alice", &["bob"]).await.unwrap();
    let both = ["alice@example.test".to_owned(), "bob@example.test".to_owned()];
    assert_eq!(ask(&directory, "alice@example.test").await.1, both);
    assert_eq!(directory.aliases_over("alice").await.unwrap()[0].targets, both);
    assert!(conflict(directory.remove_alias("alice", Some("alice")).await).contains("--keep-copy"));
    directory.remove_alias("alice", None).await.unwrap();
    let told = conflict(directory.remove_alias("alice", None).await);
    assert!(told.contains("is an address of the account alice@example.test"), "{told}");
    assert!(matches!(directory.add_alias_keeping_copy("sales", &["bob"]).await, Err(DirectoryError::Invalid { .. })));

    directory.add_alias("sales", &["bob"]).await.unwrap();
    let told = conflict(directory.create_account(hollow("Sales")).await.map(drop));
    assert!(told.contains("sales@example.test is an alias that leads to bob@example.test"), "{told}");
    assert_eq!(conflict(directory.add_address("alice", "sales").await), told);
    assert!(conflict(directory.delete_account("sales").await).contains("sekisho alias delete sales@example.test"));
}

#[tokio::test]
async fn what_is_all_that_an_alias_leads_to_stays() {
    let (_place, directory) = one_domain().await;
    for login in ["alice", "bob"] {
        directory.create_account(hollow(login)).await.unwrap();
    }
    directory.add_alias("sales", &["alice+sales"]).await.unwrap();
    directory.add_alias("team", &["alice", "bob"]).await.unwrap();
    directory.add_alias("all", &["team"]).await.unwrap();
    let told = conflict(directory.delete_account("alice").await);
    assert!(told.contains("the alias sales@example.test leads"), "{told}");
    assert!(conflict(directory.remove_alias("team", None).await).contains("the alias all@example.test leads"));
    directory.remove_alias("sales", None).await.unwrap();
    directory.set_catch_all("example.test", Some("alice")).await.unwrap();
    let told = conflict(directory.delete_account("alice").await);
    assert!(told.contains("the catch-all of example.test"), "{told}");
    directory.set_catch_all("example.test", None).await.unwrap();
    directory.add_address("bob", "bobby").await.unwrap();
    directory.add_alias("rob", &["bobby"]).await.unwrap();
    assert!(conflict(directory.remove_address("bobby").await).contains("the alias rob@example.test leads"));
    directory.delete_account("alice").await.unwrap();
    assert_eq!(ask(&directory, "all@example.test").await.1, ["bob@example.test"]);
}

#[tokio::test]
async fn every_change_of_ours_is_seen_at_once() {
    let (_place, directory) = one_domain().await;
    let seen = async |address| ask(&directory, address).await.0;
    assert_eq!(seen("alice@example.test").await, Hosting::UnknownUser);
    directory.create_account(hollow("alice")).await.unwrap();
    assert_eq!(seen("alice@example.test").await, Hosting::Mailbox);
    directory.add_address("alice", "al").await.unwrap();
    assert_eq!(seen("al@example.test").await, Hosting::Mailbox);
    directory.remove_address("al").await.unwrap();
    assert_eq!(seen("al@example.test").await, Hosting::UnknownUser);
    directory.add_alias("al", &["alice", "x@else.test"]).await.unwrap();
    assert_eq!(seen("al@example.test").await, Hosting::Alias);
    directory.remove_alias("al", Some("X@else.test")).await.unwrap_err();
    directory.remove_alias("al", Some("x@Else.test")).await.unwrap();
    assert_eq!(ask(&directory, "al@example.test").await.1, ["alice@example.test"]);
    directory.remove_alias("al", None).await.unwrap();
    directory.delete_account("alice").await.unwrap();
    assert_eq!(seen("alice@example.test").await, Hosting::UnknownUser);
    directory.remove_domain("example.test").await.unwrap();
    assert_eq!(seen("alice@example.test").await, Hosting::NotHosted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_processs_change_is_seen_within_a_second() {
    let (place, ours) = one_domain().await;
    let other = place.open().await;
    ours.create_account(account("alice", "secret")).await.unwrap();
    assert_eq!(ask(&ours, "new@example.test").await.0, Hosting::UnknownUser);
    let login = async || ours.authenticate("alice", b"secret", common::CLIENT).await.unwrap();
    assert!(matches!(login().await, directory::AuthOutcome::Account(_)));
    other.create_account(hollow("new")).await.unwrap();
    other.lock("alice").await.unwrap();
    let changed = Instant::now();
    let both = async {
        while ask(&ours, "new@example.test").await.0 != Hosting::Mailbox {
            tokio::task::yield_now().await;
        }
        while matches!(login().await, directory::AuthOutcome::Account(_)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    println!("seen after {:?}", changed.elapsed());
}

#[tokio::test]
async fn what_is_known_is_still_answered_when_the_database_does_not() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    assert_eq!(ask(&directory, "alice@example.test").await.0, Hosting::Mailbox);
    directory.close().await;
    assert_eq!(ask(&directory, "alice@example.test").await.0, Hosting::Mailbox);
    // A change that was seen while the database is away makes what is known old, not unknown.
    directory.set_settings(Settings { default_domain: "example.test".to_owned(), ..Settings::default() }).unwrap();
    assert_eq!(ask(&directory, "alice@example.test").await.0, Hosting::Mailbox);
    assert!(
        directory.owners("alice", "example.test", false).await.unwrap_err().is_temporary(),
        "a right must be fresh"
    );
    assert!(directory.resolve("bob", "example.test", false).await.unwrap_err().is_temporary());
}

#[tokio::test]
async fn names_are_checked_and_taken_once() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    directory.add_address("alice", "al").await.unwrap();
    let exists = |result: Result<(), DirectoryError>| matches!(result, Err(DirectoryError::Exists { .. }));
    assert!(exists(directory.create_account(hollow("ALICE")).await.map(drop)));
    assert!(exists(directory.create_account(hollow("al")).await.map(drop)));
    assert!(exists(directory.add_address("alice", "al").await));
    assert!(exists(directory.add_domain("EXAMPLE.TEST").await));
    let missing = |result: Result<(), DirectoryError>| matches!(result, Err(DirectoryError::NotFound { .. }));
    assert!(missing(directory.create_account(hollow("bob@else.test")).await.map(drop)));
    assert!(missing(directory.add_alias("bob@else.test", &["alice"]).await));
    assert!(missing(directory.add_address("alice", "bob@else.test").await));
    assert!(missing(directory.add_address("bob", "bobby").await));
    assert!(missing(directory.remove_address("alice").await), "the login's own address stays");
    assert!(missing(directory.remove_domain("else.test").await));
    assert!(missing(directory.lock("bob").await));
    assert!(missing(directory.account("bob").await.map(drop)));
    assert!(matches!(directory.remove_domain("example.test").await, Err(DirectoryError::InUse { .. })));
    for bad in ["a%b", "a@b@example.test", "", "a b", "a\r\nb"] {
        let refused = directory.create_account(hollow(bad)).await;
        assert!(matches!(refused, Err(DirectoryError::Invalid { .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn it_is_all_there_after_a_restart_and_private() {
    let (place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    directory.close().await;
    drop(directory);
    let mode = std::fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let directory = place.open().await;
    assert_eq!(ask(&directory, "alice@example.test").await.0, Hosting::Mailbox);
    assert_eq!(directory.account("alice").await.unwrap().maildir, "example.test/alice");
}

#[tokio::test]
async fn another_key_does_not_open_it() {
    let (place, directory) = one_domain().await;
    directory.close().await;
    let other = Directory::open(&place.path(), &ServerKey::from_bytes([8; 32]), Settings::default()).await;
    assert!(matches!(other, Err(OpenError::ForeignKey { .. })));
    std::fs::write(place.dir.path().join("junk"), "this is no database, however long one looks at it").unwrap();
    let junk = Directory::open(&place.dir.path().join("junk"), &key(), Settings::default()).await;
    assert!(matches!(junk, Err(OpenError::Database { .. })));
}

#[tokio::test]
async fn fifty_thousand_accounts_come_in_one_transaction() {
    let (_place, directory) = one_domain().await;
    let accounts =
        |from: usize, to: usize| (from..to).map(|number| hollow(&format!("u{number}"))).collect::<Vec<NewAccount>>();
    let begun = Instant::now();
    assert_eq!(directory.import(accounts(0, 50_000)).await.unwrap().len(), 50_000);
    println!("imported in {:?}", begun.elapsed());
    assert_eq!(ask(&directory, "u49999@example.test").await.0, Hosting::Mailbox);
    assert_eq!(directory.accounts(Some("example.test")).await.unwrap().len(), 50_000);
    // One that is there already: none of the others comes in.
    let refused = directory.import(accounts(49_999, 52_000)).await;
    assert!(matches!(refused, Err(DirectoryError::Exists { name, .. }) if name == "u49999@example.test"));
    assert_eq!(ask(&directory, "u51000@example.test").await.0, Hosting::UnknownUser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ask_while_one_changes() {
    let (_place, directory) = one_domain().await;
    let directory = Arc::new(directory);
    directory.create_account(hollow("alice")).await.unwrap();
    let askers: Vec<_> = (0..16)
        .map(|_| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move {
                for number in 0..500 {
                    assert_eq!(ask(&directory, "alice@example.test").await.0, Hosting::Mailbox);
                    ask(&directory, &format!("n{}@example.test", number % 50)).await;
                }
            })
        })
        .collect();
    for number in 0..50 {
        directory.create_account(hollow(&format!("n{number}"))).await.unwrap();
        assert_eq!(ask(&directory, &format!("n{number}@example.test")).await.0, Hosting::Mailbox);
    }
    for asker in askers {
        asker.await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The database answers for any text, never for a domain that is not ours, and the same from memory.
    #[test]
    fn any_address_has_an_answer(local in "\\PC{0,80}", domain in "[a-z.]{0,20}", routing: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let directory = place.open().await;
            directory.add_domain("example.test").await.unwrap();
            directory.create_account(hollow("alice")).await.unwrap();
            directory.set_catch_all("example.test", Some("alice")).await.unwrap();
            let elsewhere = directory.resolve(&local, &domain, routing).await.unwrap();
            prop_assert_eq!(elsewhere.hosting, Hosting::NotHosted);
            let first = directory.resolve(&local, "example.test", routing).await.unwrap();
            let second = directory.resolve(&local, "example.test", routing).await.unwrap();
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(first.hosting.is_found(), !routing);
            Ok(())
        })?;
    }
}
