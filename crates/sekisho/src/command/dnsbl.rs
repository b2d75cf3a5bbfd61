//! `sekisho dnsbl`.

use super::{
    args::Dnsbl,
    client,
    fault::Fault,
    global::Global,
    table::{list, show},
};
use admin::wire;

pub(super) async fn run(command: Dnsbl, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Dnsbl::List => {
            let lists: Vec<wire::DnsList> = client.get("/v1/dnsbl").await?;
            show(global.form(), &lists, |lists| {
                let header = ["LIST", "KIND", "MODE", "STANDING", "ASKED", "LISTED", "FAILED", "AMENDS"];
                list(header, lists.iter().map(row), ["list", "lists"])
            })
        }
    }
}

fn row(list: &wire::DnsList) -> [String; 8] {
    let wire::DnsList { name, kind, mode, .. } = list.clone();
    let counts = [list.asked, list.listed, list.failed + list.errors, list.amends_count];
    let [asked, listed, failed, amends] = counts.map(|count| count.to_string());
    [name, kind, mode, standing(list), asked, listed, failed, amends]
}

/// In one cell.
fn standing(list: &wire::DnsList) -> String {
    let mut standing = list.standing.join(", IPv6 ");
    if list.tripped {
        standing += "; lists far more than it used to";
    }
    if list.rests {
        standing += "; does not answer";
    }
    standing
}
