//! Accounts as a table.

use std::collections::HashMap;

use admin::wire::{Account, AccountChange, AccountRow, Hash};

use crate::sheet::{self, Columns, Mistakes, Placed};

/// The columns; the login must be there.
const COLUMNS: [&str; 7] = ["login", "name", "quota", "expires", "locked", "apop_only", "hash"];
/// How a cell without a bound is written.
const NONE: &str = "none";
const NEVER: &str = "never";

/// The accounts of a file. A cell that is empty, or a column that is not there, leaves an account as it is.
pub fn read(file: &str, octets: &[u8]) -> Result<Vec<Placed<AccountRow>>, Mistakes> {
    sheet::read(file, octets, Columns { known: &COLUMNS, wanted: 1 }, |cells| {
        let login = cells.wanted("login");
        let name = cells.text("name").map(str::to_owned);
        let quota = cells.meant("quota", quota, "2G, 500M, octets, or none");
        let expires = cells.meant("expires", expires, "2027-03-31, 2027-03-31T18:00, or never");
        let locked = cells.meant("locked", yes, "yes or no");
        let apop_only = cells.meant("apop_only", yes, "yes or no");
        let hash = cells.text("hash").map(str::to_owned);
        if hash.as_ref().is_some_and(|hash| !hash.starts_with('{')) {
            // It may be a password.
            cells.wrong("hash", "a hash with its scheme is wanted, as {SHA512-CRYPT}$6$…; never a password".to_owned());
        }
        AccountRow { login, hash, change: AccountChange { quota, expires, name, locked, apop_only } }
    })
}

fn quota(text: &str) -> Option<String> {
    (text == NONE || keep::size::parse(text).is_some()).then(|| text.to_owned())
}

/// As the API has it.
fn expires(text: &str) -> Option<String> {
    if text == NEVER || text.parse::<jiff::Timestamp>().is_ok() {
        return Some(text.to_owned());
    }
    let secs = i64::try_from(terminal::time::of_date(text)?).ok()?;
    jiff::Timestamp::from_second(secs).ok().map(|time| time.to_string())
}

fn yes(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// The table of accounts; with hashes, whoever has it can try passwords.
pub fn write(accounts: &[Account], hashes: Option<&[Hash]>) -> String {
    let by_login: HashMap<&str, &str> =
        hashes.unwrap_or_default().iter().map(|it| (it.login.as_str(), it.hash.as_str())).collect();
    let row = |it: &Account| {
        let said = |value| if value { "yes" } else { "no" }.to_owned();
        [
            it.login.clone(),
            it.name.clone(),
            it.quota_octets.map_or_else(|| NONE.to_owned(), keep::size::exact),
            it.expires_at.clone().unwrap_or_else(|| NEVER.to_owned()),
            said(it.locked),
            said(it.apop_only),
        ]
    };
    let rows = accounts.iter().map(row);
    let [login, name, quota, expires, locked, apop_only, _] = COLUMNS;
    match hashes {
        None => sheet::write([login, name, quota, expires, locked, apop_only], rows),
        Some(_) => sheet::write(
            COLUMNS,
            rows.map(|[login, name, quota, expires, locked, apop_only]| {
                let own = by_login.get(login.as_str()).copied().unwrap_or_default().to_owned();
                [login, name, quota, expires, locked, apop_only, own]
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(login: &str, name: &str, quota: Option<u64>) -> Account {
        Account {
            login: login.to_owned(),
            maildir: String::new(),
            quota_octets: quota,
            apop_only: false,
            locked: true,
            expires_at: Some("2027-03-31T00:00:00Z".to_owned()),
            name: name.to_owned(),
            created_at: String::new(),
            scheme: None,
            devices: 0,
            addresses: Vec::new(),
            aliases: Vec::new(),
        }
    }

    #[test]
    fn a_table_as_a_spreadsheet_writes_it() {
        let text = "\u{feff}Login,Quota,Name,Hash\r\ntaro,2G,\"Yamada, Taro\",{SSHA256}abc=\r\nhanako@example.net,none,\u{5c71}\u{7530}\u{82b1}\u{5b50},\r\n";
        let rows = read("people.csv", text.as_bytes()).unwrap();
        let first = &rows[0].row;
        assert_eq!((first.login.as_str(), first.hash.as_deref()), ("taro", Some("{SSHA256}abc=")));
        assert_eq!(first.change.name.as_deref(), Some("Yamada, Taro"));
        assert_eq!(first.change.quota.as_deref(), Some("2G"));
        assert_eq!((first.change.expires.as_deref(), first.change.locked), (None, None));
        assert_eq!((rows[1].line, rows[1].row.hash.as_deref()), (3, None));
        let rows = read("people.csv", b"login,name\n\n\ntaro,\"a\nb\"\n\nhanako,\n").unwrap();
        assert_eq!(
            rows.iter().map(|row| row.line).collect::<Vec<_>>(),
            [4, 7],
            "blank lines and line ends in a cell count"
        );
    }

    #[test]
    fn every_bad_line_is_named_with_its_column() {
        let text =
            "login,quota,expires,locked,hash\ntaro,2X,,,\n,1G,soon,perhaps,secret\na,b\nhanako,1G,2027-03-31,no,\n";
        let told = read("people.csv", text.as_bytes()).err().unwrap().to_string();
        for line in [
            "people.csv:2: column quota: \"2X\": write 2G, 500M, octets, or none",
            "people.csv:3: column login: it is empty",
            "people.csv:3: column expires: \"soon\"",
            "people.csv:3: column locked: \"perhaps\"",
            "people.csv:3: column hash: a hash with its scheme",
            "people.csv:4: 2 cells, and the header has 5",
        ] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
        assert!(!told.contains("secret") && !told.contains(":5:"), "{told}");
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        for (octets, why) in [
            (&b"user;quota\n"[..], "is not known"),
            (b"login,login\n", "twice"),
            (b"name\n", "is missing"),
            (b"", "is missing"),
            (b"login,name\ntaro,\x8eR\x93c\n", "x.csv:2: this is not UTF-8"),
        ] {
            let told = read("x.csv", octets).err().unwrap().to_string();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn hashes_are_written_only_where_they_are_asked_for() {
        let accounts = [account("taro@example.net", "T", None)];
        assert_eq!(
            write(&accounts, None),
            "login,name,quota,expires,locked,apop_only\ntaro@example.net,T,none,2027-03-31T00:00:00Z,yes,no\n"
        );
        let hashes = [Hash { login: "taro@example.net".to_owned(), hash: "{X}y".to_owned() }];
        assert!(write(&accounts, Some(&hashes)).ends_with(",yes,no,{X}y\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(name in "[^\\p{C}]{0,40}", quota in proptest::option::of(any::<u64>())) {
            let written = write(&[account("taro@example.net", name.trim(), quota)], None);
            let rows = read("x.csv", written.as_bytes()).unwrap();
            let change = &rows[0].row.change;
            prop_assert_eq!(change.name.as_deref().unwrap_or_default(), name.trim());
            prop_assert_eq!(change.quota.as_deref().and_then(keep::size::parse), quota);
        }

        #[test]
        fn nothing_breaks_it(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read("x.csv", &octets);
            let _ = read("x.csv", &[b"login,name\n", &octets[..]].concat());
        }
    }
}
