//! `[tls]`: the certificate that all listeners show.

use super::permissions::Permissions;
use crate::reading::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Tls", deny_unknown_fields, default)]
pub struct WrittenTls {
    /// PEM file: the certificate, then its intermediates. Read again at a reload. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// PEM file of the private key, not readable by others. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who else may read `key`: nobody, or `"any"` if a container mounts it so. Default `"owner"`.
    pub permissions: Permissions,
}

/// `[tls]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub permissions: Permissions,
}

impl WrittenTls {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Option<Tls> {
        let (lone, missing) = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (reading.below(certificate), reading.below(key));
                return Some(Tls { certificate, key, permissions: self.permissions });
            }
            (None, None) => return None,
            (Some(_), None) => ("certificate", "key"),
            (None, Some(_)) => ("key", "certificate"),
        };
        reading.wrong("tls", format!("`tls.{lone}` without `tls.{missing}`"), "give both, or neither");
        None
    }
}
