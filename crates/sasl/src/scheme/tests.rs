//! Outputs of `doveadm pw -s SCHEME -p 'x y€'` of Dovecot 2.3, and what must not verify.

use proptest::prelude::*;

use super::{Argon2Cost, Imported, SchemeError, check, hash, import, is_dated, verify};

const PASSWORD: &[u8] = "x y€".as_bytes();

const BY_DOVEADM: &[&str] = &[
    "{SHA512-CRYPT}$6$sQEH9gdZgL2nKrCD$urDc6uaFwuezCUvy2BPToMPIQc7jDjFaNqNfForor4MoyJ5GotJpkapG4lNxh1k9RX2TZ7KD5na4vkpjZ./Yl1",
    "{SHA256-CRYPT}$5$3B6vhHHTQzQPsotw$73HWTuWopWtklNl582IMbq9IxGdOtb.xP/MQ2QP.sT/",
    "{BLF-CRYPT}$2y$05$fQp2/UZmNXWXtTaNSeAj4uxfjCLP8F4T.JFhm2q2OCgn3DUGuj6.O",
    "{SSHA}33RQ7RjZLrboNsV1jxXN/JQBN2P2CNO2",
    "{SSHA256}RnYXIhaPh9NWDhvrf1LuhTrmP6E3b1D+pWg45prwYTjfBv1Z",
    "{SSHA512}/MTb2slAkzqJVlrYfkqx9F2AyI7TrUpxq3iXQroeOGVARObue2kPLw972q3g+5r9kS7n1bW/C8QE55HGCU5p3gpwJwU=",
    "{PBKDF2}$1$mt3ZxWnOTMEDzBNp$5000$4efa7adc5e7ac4688a430ce350a902b6c8ea0b9f",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$cn6BR1Ydl8Yfx6EWn+HSbg$RC2BScyVvnS424QhBL0YrJ+IsooYCN0UvrQRT4uEqZ0",
    "{CRAM-MD5}23406442309f1b29073d875105ae6245b050eb5961b6e8e97915646ddbb97bfe",
    "{SCRAM-SHA-256}4096,qOm9ja+BE7gAhRXyjW9ZEQ==,NK/5HOAo2C11vzyP/zKdmeyxxrFcDbZ3X0xITZhv2As=,Gy66VFr0maT38NBm9vYzngKzizB6Vv3UMRafmwQVh90=",
    "{SHA512-CRYPT}$6$rounds=6000$FVEKIz/yxZYXT1hH$zh.IcK4srC3Te5ClESGSLLXd.gtRztR6cdlKNm7yru/QHTL4DSvUvuV0whSfTz9mepmS72LWymMX71K9v3Uwx0",
    "{BLF-CRYPT}$2y$06$fJM7Z7t4rDkZf1Ues02j0.tR7vKnDW06AUgPn0S41.T688jcYu2e2",
];

const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };

#[test]
fn dovecots_hashes_verify() {
    for stored in BY_DOVEADM {
        assert_eq!(verify(stored, PASSWORD), Ok(true), "{stored}");
        for wrong in [&b"x y"[..], b"x y\xe2\x82\xad", b"", b"X Y", &[b'x'; 1024], &[b'x'; 1025], b"x y\xe2\x82\xac\0"]
        {
            assert_eq!(verify(stored, wrong), Ok(false), "{stored} {wrong:?}");
        }
        let lower =
            stored.split_once('}').map(|(scheme, rest)| format!("{}}}{rest}", scheme.to_ascii_lowercase())).unwrap();
        assert_eq!(verify(&lower, PASSWORD), Ok(true), "{lower}");
    }
}

#[test]
fn crypts_own_prefix_is_enough() {
    for stored in BY_DOVEADM.iter().filter(|stored| stored.contains("}$") && !stored.contains("PBKDF2")) {
        let bare = stored.split_once('}').unwrap().1;
        assert_eq!(verify(bare, PASSWORD), Ok(true), "{bare}");
        assert_eq!(verify(&format!("{{CRYPT}}{bare}"), PASSWORD), Ok(true), "{bare}");
    }
}

#[test]
fn t13_empty_password_never_verifies_hash() {
    // Right hashes of the empty password: sha1("" + "s"), crypt("", "$6$salt"), crypt("", bcrypt), pbkdf2("").
    for of_empty in [
        "{SSHA}oPFJCiDQIRyZe0S8NX4Zct6riuNz",
        "{PLAIN}",
        "{SHA512-CRYPT}$6$EN91BJjX5Rfy1l.o$RaG/nLEm3VfCCAyUYTdb5YkD/6PkGo/3f1V/vYlIfKLG0qTrAKz/oajUSimnFvVdRGpn6yCWGONgOxG7.C7gy0",
        "{SHA256-CRYPT}$5$Yyog6tdNy7A.HjHc$8QHeNj4T6gvwDHs99Z7ZyETBY5iUlYJk43u4.IvWIT.",
        "{BLF-CRYPT}$2y$05$n9X6hU1ENTaoNJd.feFZXeFAFMKtIEluhGxpjn2HpeXubOwORL8N6",
        "{SSHA256}CZ8JiMkdoaZIA/YT9NQVjVxQQLPInj9sXL0UF75jvnotvQm3",
        "{SSHA512}qFwilcGEFq/Xw1nsPBqBNiIIGJcCwXsif7NaACDZpFX94hsAxclriL9hQGu/41d7jB5PnUFfBcya7A9dWaGNi7sVwps=",
        "{PBKDF2}$1$8pKhpMOMyNTyvhb6$5000$38617758ad603f5de10fffe0e76aa2afd6fda452",
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$EYIHmnuexADQ8uqxVcQBpg$OS+12q5HG7e1kW3caLe8DvhDEv9sKMstxEysmCvzVX0",
        "{CRAM-MD5}00747cf2ffaf11c5ea4a64979c3901fc1d20dee13f480bb598f7d8575b23e61b",
        "{SCRAM-SHA-256}4096,4V1mEQNz+LFRsbnpzeuUBg==,WMh73UlbMitJ1o2UTRWvEG2LcRRxzALKiQHLvmQRSjY=,4AO7/lTbVkhzNEC2U2qlnQ0ND4pSU4nfivLsCsCsnw4=",
    ] {
        assert_ne!(verify(of_empty, b""), Ok(true), "{of_empty}");
    }
    assert!(hash(b"", [1; 16], Argon2Cost::default()).is_err());
    assert!(import("{PLAIN}").is_err());
}

#[test]
fn what_cannot_be_verified_says_so() {
    let table = [
        ("", SchemeError::Unknown),
        ("x", SchemeError::Unknown),
        ("{", SchemeError::Unknown),
        ("{}", SchemeError::Unknown),
        ("{MD5}abc", SchemeError::Unknown),
        ("{CRYPT}ab01FAX.bQRSU", SchemeError::Unknown),
        ("$1$abc$def", SchemeError::Unknown),
        ("!", SchemeError::Unknown),
        ("*", SchemeError::Unknown),
        ("{PLAIN}secret", SchemeError::Clear),
        ("{cleartext}secret", SchemeError::Clear),
        ("{SHA512-CRYPT}", SchemeError::Malformed("SHA512-CRYPT")),
        ("{SHA512-CRYPT}$6$salt$", SchemeError::Malformed("SHA512-CRYPT")),
        ("{SHA512-CRYPT}$5$salt$AAAA", SchemeError::Malformed("SHA512-CRYPT")),
        ("{SHA256-CRYPT}$5$rounds=1000001$salt$AAAA", SchemeError::TooDear("SHA256-CRYPT")),
        ("{SHA256-CRYPT}$5$rounds=$salt$AAAA", SchemeError::Malformed("SHA256-CRYPT")),
        ("{BLF-CRYPT}$2y$05$3FHq7wDXrQdLHv.plNNKIO", SchemeError::Malformed("BLF-CRYPT")),
        ("{BLF-CRYPT}$2y$16$3FHq7wDXrQdLHv.plNNKIO.lEwX3DNvq7/BIf5.LdCA0muwAYdXKu", SchemeError::TooDear("BLF-CRYPT")),
        (
            "{BLF-CRYPT}$2x$05$3FHq7wDXrQdLHv.plNNKIO.lEwX3DNvq7/BIf5.LdCA0muwAYdXKu",
            SchemeError::Malformed("BLF-CRYPT"),
        ),
        ("{SSHA}oKNGz1lgxPbdUDxsHHnhWXqHwOM=", SchemeError::Malformed("SSHA")),
        ("{SSHA256}not base64", SchemeError::Malformed("SSHA256")),
        ("{PBKDF2}$1$salt$0$d2b5d45f7ca51c8d37af9efc656fc9bec744ebff", SchemeError::Malformed("PBKDF2")),
        ("{PBKDF2}$1$salt$10000001$d2b5d45f7ca51c8d37af9efc656fc9bec744ebff", SchemeError::TooDear("PBKDF2")),
        ("{PBKDF2}$1$salt$1$d2b5", SchemeError::Malformed("PBKDF2")),
        ("{ARGON2ID}$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$iQ", SchemeError::Malformed("ARGON2ID")),
        ("{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", SchemeError::Malformed("ARGON2ID")),
        (
            "{ARGON2ID}$argon2id$v=19$m=4000000,t=3,p=1$4kZXV2mtU38W6nCfHenfMQ$d7yMKw7/IPQi0jj8WMW8Vza/OZMQVrTvVOWWjyHgx58",
            SchemeError::TooDear("ARGON2ID"),
        ),
        ("{CRAM-MD5}00", SchemeError::Malformed("CRAM-MD5")),
        ("{SCRAM-SHA-256}1,AA==", SchemeError::Malformed("SCRAM-SHA-256")),
    ];
    for (stored, expected) in table {
        assert_eq!(verify(stored, b"secret"), Err(expected), "{stored}");
        assert_eq!(check(stored), Err(expected), "{stored}");
    }
    assert_eq!(check(&"{PLAIN}".repeat(200)), Err(SchemeError::Malformed("overlong")));
}

#[test]
fn import_lets_clear_passwords_through_once() {
    assert!(matches!(import("{PLAIN}secret"), Ok(Imported::Password(secret)) if secret.expose() == b"secret"));
    assert!(matches!(import(BY_DOVEADM[0]), Ok(Imported::Hash(hash)) if hash == BY_DOVEADM[0]));
    assert_eq!(import("{MD5}x").unwrap_err(), SchemeError::Unknown);
}

#[test]
fn what_we_make_is_what_others_read() {
    let stored = hash(b"secret", [1; 16], Argon2Cost::default()).unwrap();
    assert!(stored.starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(verify(&stored, b"secret"), Ok(true));
    assert_eq!(verify(&stored, b"Secret"), Ok(false));
    assert_ne!(stored, hash(b"secret", [2; 16], Argon2Cost::default()).unwrap(), "by the salt");
    assert!(hash(b"x", [0; 16], Argon2Cost { passes: 0, ..CHEAP }).is_err());
}

#[test]
fn blanks_of_another_script_are_blanks_and_hashes_from_elsewhere_still_fit() {
    let ours = hash("a\u{3000}b".as_bytes(), [1; 16], CHEAP).unwrap();
    assert_eq!(verify(&ours, b"a b"), Ok(true));
    assert_eq!(verify(&ours, "a\u{3000}b".as_bytes()), Ok(true));
    // doveadm pw -s SSHA -p 'a　b'
    assert_eq!(verify("{SSHA}ojm+9FFmfTKUFN1MArtpu0YIS5f0Sw7y", "a\u{3000}b".as_bytes()), Ok(true));
    assert_eq!(verify("{SSHA}ojm+9FFmfTKUFN1MArtpu0YIS5f0Sw7y", b"a b"), Ok(false));
}

#[test]
fn weaker_hashes_are_dated() {
    let dear = Argon2Cost { memory_kib: 128, ..CHEAP };
    let stored = hash(b"x", [1; 16], dear).unwrap();
    assert!(!is_dated(&stored, CHEAP) && !is_dated(&stored, dear));
    assert!(is_dated(&stored, Argon2Cost::default()));
    assert!(is_dated(BY_DOVEADM[0], CHEAP) && is_dated("rubbish", CHEAP));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(stored in "(\\{[A-Z0-9-]{0,14}\\})?\\PC{0,120}") {
        let _ = check(&stored);
    }

    #[test]
    fn near_misses_are_read_without_panic(which in 0..BY_DOVEADM.len(), at in 0_usize..140, with in any::<char>()) {
        let mut letters: Vec<char> = BY_DOVEADM[which].chars().collect();
        let at = at % letters.len();
        letters[at] = with;
        let _ = check(&letters.into_iter().collect::<String>());
    }
}
