//! By what a case is judged: what is asked, the configuration, the policy.

use guard::Policy;

use super::sources::Sources;
use super::terms::Terms;

/// By what a case is judged.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// Accounts, evidence, counters.
    pub sources: &'a Sources,
    /// The configuration.
    pub terms: &'a Terms,
    /// Who may relay here, through our own listeners or through the mail server that asks, and the rules.
    pub policy: &'a Policy,
}
