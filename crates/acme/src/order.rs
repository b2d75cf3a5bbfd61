//! One certificate: ordered, proven, fetched (RFC 8555 §7.4).

use std::time::Duration;

use config::AcmeProof;
use instant_acme::{Account, AuthorizationStatus, Error, Identifier, NewOrder, Order, OrderStatus, RetryPolicy};

use crate::AcmeError;
use crate::account::{self, told};
use crate::challenge::{self, Standing, Wanted};
use crate::http::Asker;
use crate::store::{Issued, Store};

/// How long the authority may take to look, and then to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_mins(3));

/// Fetches a certificate for a name, and puts it with its key into its file.
pub(crate) async fn fetch(acme: &config::Acme, name: &str, store: &Store) -> Result<(), AcmeError> {
    let asker = Asker::new().map_err(|error| AcmeError::Here(format!("TLS: {error}")))?;
    let account = account::account(&asker, acme, store).await?;
    let mut order = match placed(&account, name).await {
        // It has lost what it knew.
        Err(error) if account::is_forgotten(&error) => {
            let account = account::new(&asker, acme, store).await?;
            placed(&account, name).await.map_err(|error| told(acme, error))?
        }
        order => order.map_err(|error| told(acme, error))?,
    };
    let standing = prove(&mut order, acme, name).await?;
    let ready = ready(&mut order, acme).await;
    for standing in standing {
        standing.clear().await;
    }
    ready?;
    let key = order.finalize().await.map_err(|error| told(acme, error))?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(|error| told(acme, error))?;
    let issued = Issued { directory: acme.directory.clone(), name: name.to_owned() };
    store.on_disk(move |store| store.keep_certificate(&(key + &chain), issued)).await?
}

async fn placed(account: &Account, name: &str) -> Result<Order, Error> {
    account.new_order(&NewOrder::new(&[Identifier::Dns(name.to_owned())])).await
}

/// Puts up all that the authority wants to see, and tells it so.
async fn prove(order: &mut Order, acme: &config::Acme, name: &str) -> Result<Vec<Standing>, AcmeError> {
    let mut all = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| told(acme, error))?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => return Err(AcmeError::Refused(format!("the authorization for {name} is {status:?}"))),
        }
        let kind = challenge::kind(&acme.proof);
        let mut asked = authorization
            .challenge(kind)
            .ok_or_else(|| AcmeError::Refused(format!("{} is not taken for {name}", words(&acme.proof))))?;
        let wanted = Wanted { name: name.to_owned(), token: asked.token.clone(), answer: asked.key_authorization() };
        let standing = challenge::stand(&acme.proof, &wanted).await?;
        if let Err(error) = asked.set_ready().await {
            standing.clear().await;
            return Err(told(acme, error));
        }
        all.push(standing);
    }
    Ok(all)
}

/// Waits until the authority has looked. What it saw instead stands with its question, not with the order.
async fn ready(order: &mut Order, acme: &config::Acme) -> Result<(), AcmeError> {
    let error = match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => return Ok(()),
        Ok(status) => format!("the order is {status:?}"),
        Err(Error::Api(problem)) => problem.to_string(),
        Err(error) => return Err(told(acme, error)),
    };
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Err(AcmeError::Unproven(format!("{}: {problem}", words(&acme.proof))));
        }
    }
    Err(AcmeError::Unproven(format!("{}: {error}", words(&acme.proof))))
}

fn words(proof: &AcmeProof) -> &'static str {
    match proof {
        AcmeProof::Http(_) | AcmeProof::Webroot(_) => "http-01",
        AcmeProof::TlsAlpn(_) => "tls-alpn-01",
        AcmeProof::Hook(_) => "dns-01",
    }
}
