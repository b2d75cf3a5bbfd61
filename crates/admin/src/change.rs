//! What an operator says of an account, as the directory has it.

use std::time::{SystemTime, UNIX_EPOCH};

use directory::{Change, PasswordKind};

use super::{ApiError, wire};

/// What is to be changed of an account.
pub(super) fn changes(change: &wire::AccountChange) -> Result<Vec<Change>, ApiError> {
    let wire::AccountChange { quota, expires, name, locked, apop_only } = change;
    let mut changes = Vec::new();
    if let Some(quota) = quota {
        changes.push(Change::QuotaOctets(octets(quota)?));
    }
    if let Some(expires) = expires {
        changes.push(Change::ExpiresAt(moment(expires)?));
    }
    changes.extend(name.clone().map(Change::Name));
    changes.extend(locked.map(|locked| if locked { Change::Lock } else { Change::Unlock }));
    let kind = |only| if only { PasswordKind::ApopOnly } else { PasswordKind::Any };
    changes.extend(apop_only.map(|only| Change::Passwords(kind(only))));
    Ok(changes)
}

fn octets(quota: &str) -> Result<Option<u64>, ApiError> {
    if quota == "none" {
        return Ok(None);
    }
    let octets = keep::size::parse(quota);
    octets.map(Some).ok_or_else(|| ApiError::invalid(format!("quota {quota:?}: write 2G, 500M, octets, or none")))
}

fn moment(expires: &str) -> Result<Option<u64>, ApiError> {
    if expires == "never" {
        return Ok(None);
    }
    let secs = expires.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    secs.map(Some).ok_or_else(|| ApiError::invalid(format!("expires {expires:?}: write a time (RFC 3339), or never")))
}

/// Whether somebody may log in less than before, so that what earlier logins allow ends.
pub(super) fn ends_rights(changes: &[Change]) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let ends = |change: &Change| match change {
        Change::Lock | Change::Passwords(PasswordKind::ApopOnly) => true,
        Change::ExpiresAt(at) => at.is_some_and(|at| at <= now),
        _ => false,
    };
    changes.iter().any(ends)
}
