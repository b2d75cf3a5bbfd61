//! Where clients are, by the MaxMind DB files of the configuration.

use std::net::IpAddr;

use guard::suspicion::Condition;
use guard::{Country, Origin};
use maps::Mmdb;

use config::Settings;

/// The files, in the order in which they are asked.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<Mmdb>);

impl Origins {
    /// Takes one more, which is asked after those before.
    pub(super) fn add(&mut self, file: Mmdb) {
        self.0.push(file);
    }

    /// Where an address is; of country and system each from the first file that knows.
    pub(super) fn of(&self, address: IpAddr) -> Origin {
        let found = self.0.iter().map(|file| file.origin(address)).reduce(maps::mmdb::Origin::or).unwrap_or_default();
        Origin { country: found.country.and_then(|code| Country::of(code.0)), asn: found.asn }
    }

    /// Rules that go by what none of the files has, and so would never hold.
    pub(super) fn unasked(&self, settings: &Settings) -> Vec<String> {
        let mut mistakes = Vec::new();
        for rule in &settings.guard.rules {
            for condition in rule.when.iter().chain(&rule.not) {
                let (has, what) = match condition {
                    Condition::Country(_) => (self.0.iter().any(Mmdb::has_countries), "countries"),
                    Condition::Asn(_) => (self.0.iter().any(Mmdb::has_systems), "autonomous systems"),
                    _ => continue,
                };
                if !has {
                    mistakes.push(format!(
                        "{}: rule \"{}\" goes by {what}, and no file of guard.mmdb has any; name one that has",
                        rule.line, rule.name
                    ));
                }
            }
        }
        mistakes
    }
}
