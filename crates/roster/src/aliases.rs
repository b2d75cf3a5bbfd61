//! Aliases as a table, which has a row for each target.

use admin::wire::{Alias, AliasRow};

use crate::sheet::{self, Columns, Mistakes, Placed};

const COLUMNS: [&str; 2] = ["address", "target"];

/// The aliases of a file.
pub fn read(file: &str, octets: &[u8]) -> Result<Vec<Placed<AliasRow>>, Mistakes> {
    sheet::read(file, octets, Columns { known: &COLUMNS, wanted: 2 }, |cells| AliasRow {
        address: cells.wanted("address"),
        target: cells.wanted("target"),
    })
}

/// The table of aliases.
pub fn write(aliases: &[Alias]) -> String {
    let rows = aliases.iter().flat_map(|it| it.targets.iter().map(|target| [it.address.clone(), target.clone()]));
    sheet::write(COLUMNS, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let sales = Alias {
            address: "sales@example.net".to_owned(),
            targets: vec!["a@example.net".into(), "b@else.example".into()],
        };
        let written = write(&[sales]);
        assert_eq!(written, "address,target\nsales@example.net,a@example.net\nsales@example.net,b@else.example\n");
        let rows = read("x.csv", written.as_bytes()).unwrap();
        assert_eq!(
            rows.iter().map(|it| it.row.target.as_str()).collect::<Vec<_>>(),
            ["a@example.net", "b@else.example"]
        );
        let told = read("x.csv", b"address,target\nsales,\n").unwrap_err().to_string();
        assert!(told.contains("x.csv:2: column target: it is empty"), "{told}");
    }
}
