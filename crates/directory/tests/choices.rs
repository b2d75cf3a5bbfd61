//! Whose mail an account takes, out of a real database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{hollow, one_domain};
use directory::{CHOICES_MAX, ChoiceChange, Choices, Chosen, Directory, DirectoryError, Others, SentBy, Target};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

async fn target(directory: &Directory, local: &str) -> Target {
    directory.resolve(local, "example.test", false).await.unwrap().targets[0].clone()
}

async fn chosen(directory: &Directory, local: &str, domain: &str) -> Chosen {
    let target = target(directory, local).await;
    directory.chosen(&target, SentBy::Mailbox { local_part: "a", domain }).await.unwrap()
}

#[tokio::test]
async fn choices_count_at_once_and_go_with_the_account() {
    let (place, directory) = one_domain().await;
    for login in ["alice", "bob"] {
        directory.create_account(hollow(login)).await.unwrap();
    }
    assert_eq!(chosen(&directory, "alice", "spam.example").await, Chosen::Nothing);
    let change = ChoiceChange { refuse: texts(&["Spam.Example", "<>"]), ..ChoiceChange::default() };
    directory.change_choices("alice", &change).await.unwrap();
    assert_eq!(chosen(&directory, "alice", "spam.example").await, Chosen::Refused);
    assert!(matches!(target(&directory, "bob").await, Target::Account { has_choices: false, .. }));

    // Another process changes them.
    let other = place.open().await;
    let change = ChoiceChange {
        accept: texts(&["spam.example"]),
        remove: texts(&["<>"]),
        others: Some(Others::NotTaken),
        ..ChoiceChange::default()
    };
    other.change_choices("alice@example.test", &change).await.unwrap();
    let listed = Choices { others: Others::NotTaken, accepted: texts(&["spam.example"]), refused: vec![] };
    assert_eq!(other.choices("alice").await.unwrap(), listed);
    let seen = async {
        while chosen(&directory, "alice", "else.example").await != Chosen::NotAccepted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.unwrap();
    assert_eq!(chosen(&directory, "alice", "spam.example").await, Chosen::IfProved);

    directory.delete_account("alice").await.unwrap();
    directory.create_account(hollow("alice")).await.unwrap();
    assert_eq!(directory.choices("alice").await.unwrap(), Choices::default());
    assert_eq!(chosen(&directory, "alice", "spam.example").await, Chosen::Nothing);
}

#[tokio::test]
async fn a_change_is_whole_and_bounded() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    let many = |first: usize, count: usize| -> Vec<String> {
        (first..first + count).map(|n| format!("d{n}.example")).collect()
    };
    let refuse = |senders| ChoiceChange { refuse: senders, ..ChoiceChange::default() };
    directory.change_choices("alice", &refuse(many(0, CHOICES_MAX))).await.unwrap();
    let more = directory.change_choices("alice", &refuse(many(CHOICES_MAX, 1))).await.unwrap_err();
    assert!(matches!(more, DirectoryError::Conflict(_)), "{more}");
    // What is there already is no more.
    directory.change_choices("alice", &refuse(many(0, 1))).await.unwrap();
    let long: Vec<String> = (0..500).map(|n| format!("{}@{n:0>60}.example", "x".repeat(60))).collect();
    let remove = ChoiceChange { remove: many(1, 500), ..refuse(long) };
    assert!(matches!(directory.change_choices("alice", &remove).await, Err(DirectoryError::Conflict(_))));
    for wrong in [
        ChoiceChange { remove: texts(&["d0.example", "nobody.example"]), ..ChoiceChange::default() },
        ChoiceChange { accept: texts(&["x@y"]), refuse: texts(&["x@y"]), ..ChoiceChange::default() },
        ChoiceChange { remove: texts(&["d0.example"]), accept: texts(&["no sender"]), ..ChoiceChange::default() },
    ] {
        directory.change_choices("alice", &wrong).await.unwrap_err();
    }
    assert_eq!(directory.choices("alice").await.unwrap().refused.len(), CHOICES_MAX);
    let nobody = directory.change_choices("nobody", &refuse(many(0, 1))).await.unwrap_err();
    assert!(matches!(nobody, DirectoryError::NotFound { .. }), "{nobody}");
}

#[tokio::test]
async fn who_is_unwilling_is_left_out() {
    let (_place, directory) = one_domain().await;
    for login in ["alice", "bob"] {
        directory.create_account(hollow(login)).await.unwrap();
    }
    directory.add_alias("team@example.test", &["alice", "bob", "carol@else.example"]).await.unwrap();
    let refuse = ChoiceChange { refuse: texts(&["spam.example"]), ..ChoiceChange::default() };
    directory.change_choices("bob", &refuse).await.unwrap();
    let from = SentBy::Mailbox { local_part: "a", domain: "spam.example" };
    let found = directory.resolve("team", "example.test", false).await.unwrap();
    let willing = directory.without_unwilling(found, from, |chosen| chosen != Chosen::Refused).await;
    let left_out: Vec<&str> = willing.left_out.iter().map(|login| &**login).collect();
    assert_eq!(left_out, ["bob@example.test"]);
    assert_eq!((willing.takers.targets.len(), willing.takers.aliases.len()), (2, 2));
}
