//! `[tls]`: the certificate that all listeners show.

use super::acme::{Acme, WrittenAcme};
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
    /// Fetches the certificate from an authority by ACME, and renews it; `certificate` and `key` are left out then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<WrittenAcme>,
}

/// `[tls]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub permissions: Permissions,
    pub acme: Option<Acme>,
}

/// Where a fetched certificate lies with its key, below `data_dir`: one file, so that both change at once.
const FETCHED: &str = "acme/certificate.pem";

impl WrittenTls {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Option<Tls> {
        if let Some(acme) = &self.acme {
            return self.fetched(acme, reading);
        }
        let (lone, missing) = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (reading.below(certificate), reading.below(key));
                return Some(Tls { certificate, key, permissions: self.permissions, acme: None });
            }
            (None, None) => return None,
            (Some(_), None) => ("certificate", "key"),
            (None, Some(_)) => ("key", "certificate"),
        };
        reading.wrong("tls", format!("`tls.{lone}` without `tls.{missing}`"), "give both, or neither");
        None
    }

    fn fetched(&self, acme: &WrittenAcme, reading: &mut Reading<'_>) -> Option<Tls> {
        for (key, is_given) in [("certificate", self.certificate.is_some()), ("key", self.key.is_some())] {
            if is_given {
                let message = format!("`tls.{key}` beside `[tls.acme]`, which fetches the certificate");
                reading.wrong(&format!("tls.{key}"), message, "give one of the two");
            }
        }
        let file = reading.below(FETCHED);
        let acme = acme.meant(reading)?;
        Some(Tls { certificate: file.clone(), key: file, permissions: Permissions::Owner, acme: Some(acme) })
    }
}
