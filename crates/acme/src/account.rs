//! The account at the authority.

use instant_acme::{Account, Error, NewAccount};

use crate::AcmeError;
use crate::http::{Asker, NoAnswer};
use crate::store::{KeptAccount, Store};

/// What the authority says of an account that it does not know (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// The account that is kept, or a new one.
pub(crate) async fn account(asker: &Asker, acme: &config::Acme, store: &Store) -> Result<Account, AcmeError> {
    let kept =
        store.on_disk(Store::account).await?.filter(|it| it.directory == acme.directory && it.contact == acme.contact);
    let builder = Account::builder_with_http(Box::new(asker.clone()));
    if let Some(kept) = kept {
        return builder.from_credentials(kept.credentials).await.map_err(|error| told(acme, error));
    }
    new(asker, acme, store).await
}

/// A new account, kept.
pub(crate) async fn new(asker: &Asker, acme: &config::Acme, store: &Store) -> Result<Account, AcmeError> {
    let builder = Account::builder_with_http(Box::new(asker.clone()));
    let contact = acme.contact.as_ref().map(|address| format!("mailto:{address}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let made = builder.create(&wanted, acme.directory.clone(), None).await;
    let (account, credentials) = made.map_err(|error| told(acme, error))?;
    let kept = KeptAccount { directory: acme.directory.clone(), contact: acme.contact.clone(), credentials };
    store.on_disk(move |store| store.keep_account(&kept)).await??;
    Ok(account)
}

/// Whether the authority has forgotten the account.
pub(crate) fn is_forgotten(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT))
}

/// What an error of the library means.
pub(crate) fn told(acme: &config::Acme, error: Error) -> AcmeError {
    match error {
        Error::Api(problem) => AcmeError::Refused(problem.to_string()),
        Error::Crypto | Error::KeyRejected => AcmeError::Here(error.to_string()),
        Error::Other(other) if !other.is::<NoAnswer>() => AcmeError::Here(other.to_string()),
        error => AcmeError::Away { directory: acme.directory.clone(), why: error.to_string() },
    }
}
