//! `sekisho domain` and `sekisho alias`.

use super::{
    args::{Alias, Domain},
    client,
    fault::Fault,
    global::Global,
    sheets,
    table::{list, or_blank, show},
};
use admin::client::{Method, percent};
use admin::wire;
use serde_json::json;

pub(super) async fn domain(command: Domain, global: &Global) -> Result<(), Fault> {
    let mut client = client::accounts(global).await?;
    let path = |domain: &str| format!("/v1/domains/{}", percent(domain));
    match command {
        Domain::Add { domain, catch_all } => {
            let change = wire::DomainChange { catch_all };
            client.tell(Method::PUT, &path(&domain), Some(&change)).await?;
            done(global, format!("Mail for {domain} is taken."))
        }
        Domain::List => {
            let domains: Vec<wire::Domain> = client.get("/v1/domains").await?;
            let mail = |it: &wire::Domain| if it.is_off { "later" } else { "taken" }.to_owned();
            let row = |it: &wire::Domain| [it.domain.clone(), mail(it), or_blank(it.catch_all.as_ref())];
            let what = ["domain", "domains"];
            let text = |all: &Vec<_>| list(["DOMAIN", "MAIL", "CATCH-ALL"], all.iter().map(row), what);
            show(global.form(), &domains, text)
        }
        Domain::Off { domain } => {
            client.tell(Method::PUT, &format!("{}/off", path(&domain)), None::<&()>).await?;
            done(global, format!("Mail for {domain} is to come later, until `sekisho domain on {domain}`."))
        }
        Domain::On { domain } => {
            client.tell(Method::DELETE, &format!("{}/off", path(&domain)), None::<&()>).await?;
            done(global, format!("Mail for {domain} is taken."))
        }
        Domain::Delete { domain } => {
            client.tell(Method::DELETE, &path(&domain), None::<&()>).await?;
            done(global, format!("The domain {domain} is deleted."))
        }
    }
}

pub(super) async fn alias(command: Alias, global: &Global) -> Result<(), Fault> {
    let mut client = client::accounts(global).await?;
    let path = |address: &str| format!("/v1/aliases/{}", percent(address));
    match command {
        Alias::Add { address, targets, keep_copy } => {
            let kept = if keep_copy { ", and its account gets a copy" } else { "" };
            let told = format!("{address} leads to {} too{kept}.", targets.join(", "));
            client.tell(Method::POST, &path(&address), Some(&wire::AliasTargets { targets, keep_copy })).await?;
            done(global, told)
        }
        Alias::List => {
            let aliases: Vec<wire::Alias> = client.get("/v1/aliases").await?;
            let row = |it: &wire::Alias| [it.address.clone(), it.targets.join(" ")];
            let text = |all: &Vec<_>| list(["ADDRESS", "LEADS TO"], all.iter().map(row), ["alias", "aliases"]);
            show(global.form(), &aliases, text)
        }
        Alias::Export(args) => sheets::export_aliases(&mut client, args.file.as_deref()).await,
        Alias::Import(args) => sheets::import_aliases(&mut client, &args, global).await,
        Alias::Delete { address } => {
            client.tell(Method::DELETE, &path(&address), None::<&()>).await?;
            done(global, format!("The alias {address} is deleted."))
        }
    }
}

fn done(global: &Global, told: String) -> Result<(), Fault> {
    show(global.form(), &json!({ "ok": true }), |_| told)
}
