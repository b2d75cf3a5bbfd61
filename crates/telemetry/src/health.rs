//! Whether the server can do its work now: what a load balancer asks.

use serde::Serialize;

/// What is wrong with each part; `None`: it works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The queue takes mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<String>,
    /// The accounts answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The evidence of logins does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Everything listens, and the server is not stopping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<String>,
}

impl Health {
    /// All of it works.
    pub fn is_ready(&self) -> bool {
        *self == Self::default()
    }

    /// `{"ready":…,"faults":{…}}`
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Told<'h> {
            ready: bool,
            faults: &'h Health,
        }
        // Texts and a truth value: nothing in it can fail.
        let told = serde_json::to_string(&Told { ready: self.is_ready(), faults: self });
        told.unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ready_is_named() {
        assert_eq!(Health::default().json(), "{\"ready\":true,\"faults\":{}}\n");
        let full = Health { spool: Some("full".to_owned()), ..Health::default() };
        assert_eq!(full.json(), "{\"ready\":false,\"faults\":{\"spool\":\"full\"}}\n");
    }
}
