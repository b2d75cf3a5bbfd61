//! Who may log in, and who never.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{CLIENT, account, hollow, one_domain};
use directory::{
    AuthOutcome, Change, DeviceLimits, Directory, DirectoryError, NewAccount, NewPassword, PasswordKind, SecretUse,
    SecretsKept, SecretsOutcome, Why,
};
use sasl::StoredSecret;

/// `old secret` as other servers hashed it, with the salt `saltsalt`.
const FOREIGN: [(&str, &str); 5] = [
    (
        "SHA512-CRYPT",
        "$6$saltsalt$cs5x.U.oRfkcexxH8LXRD9Uld7RvmiYFZ1YjE1dBtMQhWQ7SdWVSjiJAW20DRKdKd/czkF45bcLd5WA8oAx5w/",
    ),
    ("SHA256-CRYPT", "$5$saltsalt$4IIqVBqlr2G3Vr412EGbStqB6QsviVBQt.vIdguikp7"),
    ("SSHA256", "MXWskknpH9Qdn6z1wNSKZw6k8QiuoDp9d+p9P9LcBGdzYWx0c2FsdA=="),
    ("SSHA", "2LscjwVKguQufzHPtZW8osMvzkdzYWx0c2FsdA=="),
    ("SSHA512", "zdAnrILQSkgmEVREzm7ZM0MQ1eqeWJ1Nfi7RbYAHKg3DfPR+xRXHMF6AQp/kbTDy0rbuC647AJo/+2ho1DBkmnNhbHRzYWx0"),
];

async fn login(directory: &Directory, login: &str, password: &str) -> Result<String, Why> {
    match directory.authenticate(login, password.as_bytes(), CLIENT).await.unwrap() {
        AuthOutcome::Account(identity) => Ok(identity.login.to_string()),
        AuthOutcome::Denied(why) => Err(why),
    }
}

async fn secret(directory: &Directory, login: &str, wanted: SecretUse) -> Result<StoredSecret, Why> {
    match directory.secrets_for(login, wanted, CLIENT).await.unwrap() {
        SecretsOutcome::Found { mut secrets, .. } => Ok(secrets.remove(0)),
        SecretsOutcome::Denied(why) => Err(why),
    }
}

#[tokio::test]
async fn right_and_wrong_passwords() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "correct horse")).await.unwrap();
    for written in ["alice", "ALICE", "alice@example.test", "Alice@Example.TEST"] {
        assert_eq!(login(&directory, written, "correct horse").await.as_deref(), Ok("alice@example.test"));
    }
    assert_eq!(login(&directory, "alice", "Correct horse").await, Err(Why::WrongPassword));
    assert_eq!(login(&directory, "bob", "correct horse").await, Err(Why::UnknownLogin));
    assert_eq!(login(&directory, "alice@other.test", "correct horse").await, Err(Why::UnknownLogin));
    assert_eq!(login(&directory, "", "correct horse").await, Err(Why::UnknownLogin));
    assert_eq!(login(&directory, &"a".repeat(100_000), "correct horse").await, Err(Why::UnknownLogin));
    assert_eq!(login(&directory, "alice", &"a".repeat(100_000)).await, Err(Why::UnfitPassword));
}

#[tokio::test]
async fn t13_an_empty_password_never_logs_in() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    directory.create_account(hollow("mail")).await.unwrap();
    let (device, _) = directory.add_device("alice", "scanner", DeviceLimits::default()).await.unwrap();
    for written in ["alice", "mail", "mail@example.test", "nobody", device.login.as_str(), "", "root"] {
        assert_eq!(login(&directory, written, "").await, Err(Why::UnfitPassword), "{written}");
    }
    // An account without a password has none that could be guessed.
    for guess in [" ", "mail", "x", "*", "!", "NULL", "null"] {
        assert!(login(&directory, "mail", guess).await.is_err(), "{guess}");
    }
    assert_eq!(login(&directory, "mail", "x").await, Err(Why::NoSecret));
    assert_eq!(secret(&directory, "mail", SecretUse::ScramSha256).await.unwrap_err(), Why::NoSecret);
    for result in [
        directory.set_password("alice", b"").await,
        directory.change_password("alice", b"secret", b"").await,
        directory.set_hash("alice", "").await,
        directory.set_hash("alice", "{PLAIN}").await,
        directory.create_account(account("carol", "")).await.map(drop),
    ] {
        assert!(matches!(result, Err(DirectoryError::Invalid { .. })), "{result:?}");
    }
    assert!(login(&directory, "alice", "secret").await.is_ok());
}

/// More time or an open lock takes nothing away: what waits for that login goes on.
#[tokio::test]
async fn only_what_takes_a_right_away_ends_rights() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    let mut ended = directory.rights_ended_at("alice").await.unwrap();
    for (change, ends) in [
        (Change::ExpiresAt(Some(9_000_000_000)), false),
        (Change::ExpiresAt(Some(9_500_000_000)), false),
        (Change::ExpiresAt(None), false),
        (Change::Lock, true),
        (Change::Lock, false),
        (Change::Unlock, false),
        (Change::ExpiresAt(Some(1)), true),
        (Change::ExpiresAt(Some(9_000_000_000)), true),
        (Change::QuotaOctets(Some(1_000_000)), false),
    ] {
        // Times of changes have milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let what = format!("{change:?}");
        directory.change_account("alice", change).await.unwrap();
        let now = directory.rights_ended_at("alice").await.unwrap();
        assert_eq!(now > ended, ends, "{what}");
        ended = now;
    }
}

#[tokio::test]
async fn t14_locked_and_expired_accounts_always_fail() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    let (device, device_secret) = directory.add_device("alice", "old", DeviceLimits::default()).await.unwrap();
    for (shut, open, why) in [
        (Change::Lock, Change::Unlock, Why::Locked),
        (Change::ExpiresAt(Some(1)), Change::ExpiresAt(None), Why::Expired),
    ] {
        // Once right, so that it is remembered: the memory must not open what is shut.
        assert!(login(&directory, "alice", "secret").await.is_ok());
        directory.change_account("alice", shut).await.unwrap();
        assert_eq!(login(&directory, "alice", "secret").await, Err(why));
        assert_eq!(login(&directory, &device.login, device_secret.expose()).await, Err(why));
        for wanted in [SecretUse::ScramSha256, SecretUse::CramMd5, SecretUse::Apop] {
            assert_eq!(secret(&directory, "alice", wanted).await.unwrap_err(), why);
            assert_eq!(secret(&directory, &device.login, wanted).await.unwrap_err(), why);
        }
        let changed = directory.change_password("alice", b"secret", b"new secret").await;
        assert!(matches!(changed, Err(DirectoryError::WrongPassword)));
        assert_eq!(login(&directory, "alice", "wrong").await, Err(Why::WrongPassword));
        directory.change_account("alice", open).await.unwrap();
        assert!(login(&directory, "alice", "secret").await.is_ok());
    }
    directory.change_account("alice", Change::ExpiresAt(Some(u64::MAX))).await.unwrap();
    assert!(login(&directory, "alice", "secret").await.is_ok());
    directory.delete_account("alice").await.unwrap();
    assert_eq!(login(&directory, "alice", "secret").await, Err(Why::UnknownLogin));
    assert_eq!(login(&directory, &device.login, device_secret.expose()).await, Err(Why::UnknownLogin));
}

#[tokio::test]
async fn t14_there_are_no_built_in_credentials() {
    let (_place, directory) = one_domain().await;
    assert!(directory.accounts(None).await.unwrap().is_empty());
    assert!(directory.devices(None).await.unwrap().is_empty());
    for written in ["admin", "root", "test", "postmaster", "user@testi.fi", "mail", "demo"] {
        for password in ["password", written] {
            assert_eq!(login(&directory, written, password).await, Err(Why::UnknownLogin));
        }
    }
}

#[tokio::test]
async fn a_new_password_counts_at_once_and_the_old_one_never_again() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "first")).await.unwrap();
    assert!(login(&directory, "alice", "first").await.is_ok());
    directory.change_password("alice", b"first", b"second").await.unwrap();
    assert_eq!(login(&directory, "alice", "first").await, Err(Why::WrongPassword));
    assert!(login(&directory, "alice", "second").await.is_ok());
    for (old, who) in [("first", "alice"), ("second", "bob")] {
        let refused = directory.change_password(who, old.as_bytes(), b"third").await;
        assert!(matches!(refused, Err(DirectoryError::WrongPassword)));
    }
    directory.set_password("alice", b"third").await.unwrap();
    assert!(login(&directory, "alice", "second").await.is_err());
    assert!(login(&directory, "alice", "third").await.is_ok());
}

#[tokio::test]
async fn scram_keys_come_with_the_password() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "first")).await.unwrap();
    let keys = |secret| match secret {
        StoredSecret::ScramSha256(keys) => keys,
        StoredSecret::Clear(_) => panic!("no keys"),
    };
    let first = keys(secret(&directory, "alice", SecretUse::ScramSha256).await.unwrap());
    assert!(first.verify(b"first"));
    directory.set_password("alice", b"second").await.unwrap();
    let second = keys(secret(&directory, "alice", SecretUse::ScramSha256).await.unwrap());
    assert!(second.verify(b"second") && !second.verify(b"first"));
    // The main password is never given out for mechanisms that need it in clear.
    assert_eq!(secret(&directory, "alice", SecretUse::CramMd5).await.unwrap_err(), Why::NoSecret);
    assert_eq!(secret(&directory, "alice", SecretUse::Apop).await.unwrap_err(), Why::NoSecret);
}

#[tokio::test]
async fn an_existing_hash_logs_in_and_is_made_anew() {
    let (_place, directory) = one_domain().await;
    directory.create_account(hollow("alice")).await.unwrap();
    for (scheme, hash) in FOREIGN {
        let stored = format!("{{{scheme}}}{hash}");
        directory.set_hash("alice", &stored).await.unwrap();
        let before = directory.account("alice").await.unwrap();
        assert_eq!((before.scheme.as_deref(), before.scram), (Some(scheme), false));
        assert_eq!(login(&directory, "alice", "wrong").await, Err(Why::WrongPassword), "{scheme}");
        assert!(login(&directory, "alice", "old secret").await.is_ok(), "{scheme}");
        let after = directory.account("alice").await.unwrap();
        assert_eq!((after.scheme.as_deref(), after.scram), (Some("ARGON2ID"), true));
        assert!(login(&directory, "alice", "old secret").await.is_ok());
        assert!(secret(&directory, "alice", SecretUse::ScramSha256).await.is_ok());
    }
}

#[tokio::test]
async fn a_hash_that_is_none_is_refused_and_not_repeated() {
    let (_place, directory) = one_domain().await;
    for stored in ["{MD4}secret", "{PLAIN}secret", "secret", "{SSHA256}secret", "{ARGON2ID}secret"] {
        let new = NewAccount { password: NewPassword::Hash(stored.to_owned()), ..hollow("bob") };
        let refused = directory.create_account(new).await.unwrap_err();
        assert!(
            matches!(refused, DirectoryError::Invalid { .. }) && !refused.to_string().contains("secret"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_device_logs_in_as_its_account_with_its_limits() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    let limits = DeviceLimits { messages_per_hour: Some(20), ..DeviceLimits::default() };
    let limits = limits.with_networks(&["192.0.2.0/24"]).unwrap();
    let (device, device_secret) = directory.add_device("alice", "Scanner", limits.clone()).await.unwrap();
    assert_eq!(device.login, "alice-scanner@example.test");
    let outcome = directory.authenticate(&device.login, device_secret.expose().as_bytes(), CLIENT).await.unwrap();
    let AuthOutcome::Account(identity) = outcome else { panic!("{outcome:?}") };
    assert_eq!(&*identity.login, "alice@example.test");
    assert_eq!(identity.device.unwrap().limits, limits);
    let bad = DeviceLimits { networks: vec!["192.0.2.1/24".parse().unwrap()], ..DeviceLimits::default() };
    assert!(matches!(directory.add_device("alice", "bad", bad).await, Err(DirectoryError::Invalid { .. })));
    // Neither secret opens the other's login.
    assert_eq!(login(&directory, "alice", device_secret.expose()).await, Err(Why::WrongPassword));
    assert_eq!(login(&directory, &device.login, "secret").await, Err(Why::WrongPassword));
    for wanted in [SecretUse::CramMd5, SecretUse::Apop] {
        let StoredSecret::Clear(clear) = secret(&directory, &device.login, wanted).await.unwrap() else { panic!() };
        assert_eq!(clear.expose(), device_secret.expose().as_bytes());
    }
    let StoredSecret::ScramSha256(keys) = secret(&directory, &device.login, SecretUse::ScramSha256).await.unwrap()
    else {
        panic!()
    };
    assert!(keys.verify(device_secret.expose().as_bytes()));
    let elsewhere: IpAddr = "203.0.113.1".parse().unwrap();
    let outcome = directory.authenticate(&device.login, device_secret.expose().as_bytes(), elsewhere).await.unwrap();
    assert_eq!(outcome, AuthOutcome::Denied(Why::OutsideNetworks));
    let outcome = directory.secrets_for(&device.login, SecretUse::Apop, elsewhere).await.unwrap();
    assert!(matches!(outcome, SecretsOutcome::Denied(Why::OutsideNetworks)));
}

#[tokio::test]
async fn a_revoked_or_expired_device_is_out_and_its_name_free_again() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    let (device, old) = directory.add_device("alice", "plc", DeviceLimits::default()).await.unwrap();
    assert!(login(&directory, &device.login, old.expose()).await.is_ok());
    let again = directory.add_device("alice", "plc", DeviceLimits::default()).await;
    assert!(matches!(again, Err(DirectoryError::Exists { .. })));
    directory.revoke_device(&device.login).await.unwrap();
    assert_eq!(login(&directory, &device.login, old.expose()).await, Err(Why::Revoked));
    assert!(matches!(directory.revoke_device(&device.login).await, Err(DirectoryError::NotFound { .. })));
    assert!(directory.devices(Some("alice")).await.unwrap()[0].revoked_at.is_some());
    let limits = DeviceLimits { expires_at: Some(1), ..DeviceLimits::default() };
    let (device, expired) = directory.add_device("alice", "plc", limits).await.unwrap();
    assert_eq!(login(&directory, &device.login, old.expose()).await, Err(Why::WrongPassword));
    assert_eq!(login(&directory, &device.login, expired.expose()).await, Err(Why::Expired));
    assert!(login(&directory, "alice", "secret").await.is_ok(), "the account is not touched");
}

#[tokio::test]
async fn an_apop_only_account_takes_no_password_that_crosses_the_net() {
    let (_place, directory) = one_domain().await;
    let new = NewAccount { passwords: PasswordKind::ApopOnly, ..account("alice", "secret") };
    directory.create_account(new).await.unwrap();
    let (device, device_secret) = directory.add_device("alice", "mua", DeviceLimits::default()).await.unwrap();
    assert_eq!(login(&directory, "alice", "secret").await, Err(Why::ApopOnly));
    assert_eq!(login(&directory, &device.login, device_secret.expose()).await, Err(Why::ApopOnly));
    assert_eq!(secret(&directory, "alice", SecretUse::ScramSha256).await.unwrap_err(), Why::ApopOnly);
    assert!(secret(&directory, &device.login, SecretUse::Apop).await.is_ok());
    directory.change_account("alice", Change::Passwords(PasswordKind::Any)).await.unwrap();
    assert!(login(&directory, "alice", "secret").await.is_ok());
}

/// What is offered to clients goes by what anybody has, as soon as it changes.
#[tokio::test]
async fn which_kinds_of_secrets_there_are() {
    let (_place, directory) = one_domain().await;
    let kept = async || {
        let SecretsKept { scram, devices, devices_everywhere } = directory.secrets_kept().await;
        (scram, devices, devices_everywhere)
    };
    assert_eq!(kept().await, (false, false, false));
    let hash = NewPassword::Hash(format!("{{{}}}{}", FOREIGN[0].0, FOREIGN[0].1));
    directory.create_account(NewAccount { password: hash, ..hollow("old") }).await.unwrap();
    assert_eq!(kept().await, (false, false, false), "a hash of others has no keys");
    directory.create_account(account("alice", "secret")).await.unwrap();
    assert_eq!(kept().await, (true, false, false));
    let (device, _) = directory.add_device("alice", "plc", DeviceLimits::default()).await.unwrap();
    assert_eq!(kept().await, (true, true, false));
    directory.delete_account("old@example.test").await.unwrap();
    assert_eq!(kept().await, (true, true, true));
    directory.revoke_device(&device.login).await.unwrap();
    assert_eq!(kept().await, (true, true, false), "what has its secret still tries");
}

#[tokio::test]
async fn a_login_means_an_account_or_a_device_and_never_both() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    directory.create_account(account("alice-mua", "secret")).await.unwrap();
    let taken = directory.add_device("alice", "mua", DeviceLimits::default()).await;
    assert!(matches!(taken, Err(DirectoryError::Exists { .. })), "{taken:?}");
    directory.add_device("alice", "plc", DeviceLimits::default()).await.unwrap();
    let taken = directory.create_account(account("alice-plc", "secret")).await;
    assert!(matches!(taken, Err(DirectoryError::Exists { .. })), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_logins_at_once_and_a_password_changed_meanwhile() {
    let (_place, directory) = one_domain().await;
    let directory = Arc::new(directory);
    directory.create_account(account("alice", "first")).await.unwrap();
    let askers: Vec<_> = (0..64)
        .map(|number| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let password = if number % 2 == 0 { "first" } else { "wrong" };
                    let outcome = login(&directory, "alice", password).await;
                    assert!(number % 2 == 0 || outcome == Err(Why::WrongPassword));
                }
            })
        })
        .collect();
    directory.set_password("alice", b"second").await.unwrap();
    assert_eq!(login(&directory, "alice", "first").await, Err(Why::WrongPassword));
    assert!(login(&directory, "alice", "second").await.is_ok());
    for asker in askers {
        asker.await.unwrap();
    }
    assert_eq!(login(&directory, "alice", "first").await, Err(Why::WrongPassword));
}

#[tokio::test]
async fn a_directory_that_does_not_answer_is_not_a_no() {
    let (_place, directory) = one_domain().await;
    directory.create_account(account("alice", "secret")).await.unwrap();
    directory.close().await;
    for asked in ["alice", "nobody"] {
        let error = directory.authenticate(asked, b"secret", CLIENT).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        let error = directory.secrets_for(asked, SecretUse::Apop, CLIENT).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn no_secret_stands_in_the_database_file() {
    let (place, directory) = one_domain().await;
    directory.create_account(account("alice", "correct horse")).await.unwrap();
    let (_, secret) = directory.add_device("alice", "plc", DeviceLimits::default()).await.unwrap();
    directory.close().await;
    for entry in std::fs::read_dir(place.dir.path()).unwrap() {
        let octets = std::fs::read(entry.unwrap().path()).unwrap();
        for clear in [secret.expose(), "correct horse"] {
            assert!(!octets.windows(clear.len()).any(|part| part == clear.as_bytes()));
        }
    }
}
