//! The client's name, as far as it can be believed.

use smtp::address::Domain;

/// A client's name whose address records hold the client's address. A bare PTR record is anybody's to write.
/// ```compile_fail,E0423
/// fn forge(domain: smtp::address::Domain) -> guard::ConfirmedName {
///     guard::ConfirmedName(domain)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedName(Domain);

impl ConfirmedName {
    /// The caller vouches that the PTR name of the client resolves to the client's address.
    pub fn attest_forward_confirmed(name: Domain) -> Self {
        Self(name)
    }

    /// The name.
    pub fn domain(&self) -> &Domain {
        &self.0
    }
}
