//! Who can log in by the audit is who can by the accounts themselves: locked, expired, revoked, and from where.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use audit::set::Usable;
use audit::{Given, Set};
use directory::{DeviceLimits, Directory, NewAccount, RecipientScope, ServerKey};
use guard::policy::{RelayPolicy, RelayPolicySpec};

async fn site(directory: &Directory, now: u64) {
    directory.add_domain("example.test").await.unwrap();
    for (name, expires_at) in [("alice", None), ("locked", None), ("late", Some(now - 10)), ("soon", Some(now + 3_600))]
    {
        let login = format!("{name}@example.test");
        let new = NewAccount { login: login.clone(), expires_at, ..NewAccount::default() };
        directory.create_account(new).await.unwrap();
        let limits = |expires_at| DeviceLimits {
            networks: vec!["192.0.2.0/28".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
            messages_per_hour: None,
            recipients: RecipientScope::OwnDomains,
            expires_at,
        };
        directory.add_device(&login, "free", DeviceLimits::default()).await.unwrap();
        directory.add_device(&login, "bound", limits(None)).await.unwrap();
        directory.add_device(&login, "over", limits(Some(now - 10))).await.unwrap();
        directory.add_device(&login, "cut", limits(None)).await.unwrap();
        directory.revoke_device(&format!("{name}-cut@example.test")).await.unwrap();
    }
    directory.lock("locked@example.test").await.unwrap();
}

#[tokio::test]
async fn the_audit_lets_in_whom_the_accounts_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let key = ServerKey::from_bytes([7; directory::KEY_OCTETS]);
    let settings = directory::Settings::default();
    let directory = Directory::open(&dir.path().join("d.sqlite"), &key, settings).await.unwrap();
    let now = SystemTime::now();
    site(&directory, now.duration_since(UNIX_EPOCH).unwrap().as_secs()).await;
    let policy = RelayPolicy::new(RelayPolicySpec::default()).unwrap();
    let (accounts, devices) = (directory.accounts(None).await.unwrap(), directory.devices(None).await.unwrap());
    let set = Set::new(&Given {
        own: &policy,
        asked: &policy,
        doors: &[],
        accounts: &accounts,
        devices: &devices,
        evidence: &[],
        distrusted: &[],
        banned: &[],
        now,
    });
    assert_eq!(set.logins.len(), 20);
    let (mut can, mut cannot) = (0, 0);
    for (login, right) in &set.logins {
        for client in ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.99", "2001:db8::7", "2001:db8:0:1::7"] {
            let client: IpAddr = client.parse().unwrap();
            let said = right.usable_from(Some(client), set.now_secs()) == Usable::Yes;
            let done = directory.identity(login, client).await.unwrap();
            assert_eq!(said, done.is_ok(), "{login} from {client}: {done:?}");
            *(if said { &mut can } else { &mut cannot }) += 1;
        }
    }
    assert!(can > 10 && cannot > 10, "{can} {cannot}");
}
