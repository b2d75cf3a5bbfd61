//! `relayhost`: where mail for others goes.

use super::{Taking, domains::host_and_port};
use crate::import::draft::{Change, Draft};

impl Taking<'_> {
    pub(super) fn onward(&mut self) {
        let level = self.take_value("smtp_tls_security_level").map(|(_, level)| level).unwrap_or_default();
        let wrapped = self.main.is_yes("smtp_tls_wrappermode");
        self.take("smtp_tls_wrappermode");
        let logs_in = self.main.is_yes("smtp_sasl_auth_enable");
        self.take("smtp_sasl_auth_enable");
        let passwords = self.take_value("smtp_sasl_password_maps");
        let Some((at, relayhost)) = self.take_value("relayhost") else { return };
        let Some((hop, exact)) = host_and_port(&relayhost) else {
            return self.making.not_taken(&at, "relayhost", "give it as delivery.smarthost");
        };
        let (host, port) = match hop.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host.to_owned(), port.to_owned()),
            _ => (hop, "25".to_owned()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match level.as_str() {
            _ if wrapped => "implicit",
            "encrypt" | "verify" | "secure" | "fingerprint" | "dane-only" => "starttls",
            "none" | "" => "off",
            _ => "offered",
        };
        let put = |draft: &mut Draft| {
            draft.set("delivery", "remote", "smarthost");
            draft.set("delivery.smarthost", "host", host);
            draft.set("delivery.smarthost", "port", port.parse::<u16>().map_or(0, i64::from));
            draft.set("delivery.smarthost", "tls", tls);
        };
        if self.making.offer(&at, Change { what: "relayhost", key: "delivery.smarthost" }, put) && !exact {
            self.making.differs(&at, "relayhost", "no MX is asked for it; its address is");
        }
        if let Some((at, maps)) = passwords.filter(|_| logs_in) {
            let instead = format!(
                "put the login of {maps} into delivery.smarthost.user, its password alone into a file for password_file"
            );
            self.making.not_taken(&at, "smtp_sasl_password_maps", &instead);
        }
    }
}
