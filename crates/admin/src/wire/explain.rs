//! What would become of a session, over the admin API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What would become of a session that nobody had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// The decision that ends it, as a record tells one: the first refusal, else the last command.
    #[schema(value_type = Object)]
    pub decision: serde_json::Value,
    /// Each ends the sentence "would be accepted if …".
    pub accepted_if: Vec<String>,
    /// Whether the client is banned: then it gets no further than the connection.
    pub banned: bool,
}
