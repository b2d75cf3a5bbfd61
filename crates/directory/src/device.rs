//! Devices: scanners, printers, alarm boxes and old mail programs, each with a secret of its own, so that the main password
//! stays out of them and one of them can be cut off alone. The secret is made here, shown once and kept encrypted, since
//! APOP and CRAM-MD5 need it in clear.

use zeroize::Zeroizing;

use crate::error::DirectoryError;
use crate::listed::{Device, DeviceLimits};
use crate::store::NewDeviceRow;
use crate::{Directory, KnownLogin, key, name};

type Result<T> = std::result::Result<T, DirectoryError>;

/// Characters of a device secret: 20 of these 31 are 99 bits.
pub const SECRET_CHARACTERS: usize = 20;
/// Without i, l, o, 0 and 1: it is read off a screen and typed into a panel.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
const NETWORKS_MAX: usize = 64;

/// A secret to be shown once. `Debug` shows nothing of it, it is wiped when dropped.
pub struct DeviceSecret(Zeroizing<String>);

impl DeviceSecret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn random() -> Result<Self> {
        let mut secret = Zeroizing::new(String::with_capacity(SECRET_CHARACTERS));
        let mut octets = Zeroizing::new([0_u8; 64]);
        while secret.len() < SECRET_CHARACTERS {
            key::random(octets.as_mut_slice())
                .map_err(|source| DirectoryError::unavailable("making a secret", source))?;
            // 248 = 8 × 31: octets above it would make the first characters likelier.
            let fair = octets.iter().filter(|&&octet| octet < 248);
            let characters = fair.map(|octet| char::from(ALPHABET[usize::from(octet % 31)]));
            let missing = SECRET_CHARACTERS - secret.len();
            secret.extend(characters.take(missing));
        }
        Ok(Self(secret))
    }
}

impl std::fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceSecret(…)")
    }
}

impl Directory {
    /// Makes a device and its secret, which is never shown again. The name of a revoked device may be used again.
    pub async fn add_device(&self, account: &str, name: &str, limits: DeviceLimits) -> Result<(Device, DeviceSecret)> {
        let account = String::from(self.known_login(account)?);
        let name = name::device(name)?;
        if limits.networks.len() > NETWORKS_MAX {
            return Err(DirectoryError::invalid("networks", &name, "at most 64 are kept"));
        }
        // Networks that came by serde have not been checked yet.
        for network in &limits.networks {
            name::network(&network.to_string())?;
        }
        let (local, domain) = name::split(&account).ok_or_else(|| DirectoryError::not_found("account", &account))?;
        let login = format!("{local}-{name}@{domain}");
        let secret = DeviceSecret::random()?;
        let sealed = self.sealer.seal(&login, secret.expose().as_bytes());
        let new = NewDeviceRow {
            account: &account,
            login: &login,
            name: &name,
            sealed_secret: sealed
                .ok_or_else(|| DirectoryError::unavailable("sealing a secret", "encryption failed"))?,
            scram: self.hasher.scram(secret.expose().as_bytes()).await?,
            limits: &limits,
            now: crate::unix_secs(),
        };
        let done = self.store.add_device(&new).await;
        self.generations.follow_logins(&self.store).await;
        done?;
        let created_at = new.now;
        Ok((
            Device {
                account: account.clone(),
                name: name.clone(),
                login: login.clone(),
                limits,
                revoked_at: None,
                created_at,
            },
            secret,
        ))
    }

    /// The devices of an account or of all, revoked ones as well.
    pub async fn devices(&self, account: Option<&str>) -> Result<Vec<Device>> {
        let account = account.map(|account| self.known_login(account)).transpose()?;
        self.store.devices(account.as_deref()).await
    }

    /// Cuts a device off, at once and for good. Gives the account that it belongs to, whose earlier logins may have been the
    /// device's.
    pub async fn revoke_device(&self, device_login: &str) -> Result<KnownLogin> {
        let login = self.known_login(device_login)?;
        // Before, so that an account which cannot be read leaves nothing half done.
        let row = self.store.login(&login).await?.filter(|row| row.device.is_some());
        let account =
            row.map(|row| KnownLogin::new(row.login)).ok_or_else(|| DirectoryError::not_found("device", &login))?;
        let done = self.store.revoke_device(&login, crate::unix_secs()).await;
        self.generations.follow_logins(&self.store).await;
        done.map(|()| account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listed::RecipientScope;

    #[test]
    fn secrets_have_twenty_clear_characters_and_are_never_shown() {
        for _ in 0..200 {
            let secret = DeviceSecret::random().unwrap();
            assert_eq!(secret.expose().len(), SECRET_CHARACTERS);
            assert!(secret.expose().bytes().all(|sign| ALPHABET.contains(&sign)));
            assert!(!secret.expose().contains(['i', 'l', 'o', '0', '1']));
            assert_eq!(format!("{secret:?}"), "DeviceSecret(…)");
        }
        assert_ne!(DeviceSecret::random().unwrap().expose(), DeviceSecret::random().unwrap().expose());
    }

    #[test]
    fn networks_bind_and_a_mapped_address_is_its_ipv4_address() {
        let limits = DeviceLimits::default().with_networks(&["192.0.2.0/24", "2001:db8::1"]).unwrap();
        for (ip, allowed) in [
            ("192.0.2.9", true),
            ("::ffff:192.0.2.9", true),
            ("192.0.3.1", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            assert_eq!(limits.allows(ip.parse().unwrap()), allowed, "{ip}");
        }
        assert!(DeviceLimits::default().allows("203.0.113.1".parse().unwrap()));
        assert!(DeviceLimits::default().with_networks(&["192.0.2.1/24"]).is_err());
    }

    #[test]
    fn scopes_print_and_parse() {
        for scope in [RecipientScope::OwnDomains, RecipientScope::Anywhere] {
            assert_eq!(RecipientScope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(RecipientScope::parse("everything"), None);
    }
}
