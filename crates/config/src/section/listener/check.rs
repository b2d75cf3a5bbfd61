//! Whether what is said of a listener fits together, with its protocol and with the other listeners.

use super::{AuthOffer, Certificate, Listener, Protocol, RelayMode, TlsOffer, WrittenListener};
use crate::reading::Reading;

/// Whether there is a certificate where one is needed.
pub(super) fn certificate(entry: &WrittenListener, certificate: Certificate, path: &str, reading: &mut Reading<'_>) {
    if certificate == Certificate::Given {
        return;
    }
    let hint = "give [tls] certificate and key, or [tls.acme]";
    if entry.protocol.implicit_tls() {
        let message = format!("`{}` needs a certificate", entry.protocol.name());
        reading.wrong(&format!("{path}.protocol"), message, hint);
    } else if matches!(entry.tls, Some(TlsOffer::Offered | TlsOffer::Required)) {
        reading.wrong(&format!("{path}.tls"), format!("`{path}.tls` needs a certificate"), hint);
    }
}

/// Whether its protocol has what is said.
pub(super) fn protocol(listener: &Listener, path: &str, reading: &mut Reading<'_>) {
    proof(listener, path, reading);
    hosts(listener, path, reading);
    if listener.protocol.is_interface() {
        return mta_interface(listener, path, reading);
    }
    if !listener.protocol.is_smtp() {
        pop3(listener, path, reading);
    }
    if listener.relay == RelayMode::Permit {
        let message = format!(
            "only a listener that other mail servers ask can permit; who relays by {} is said in [relay]",
            listener.protocol.name()
        );
        reading.wrong(&format!("{path}.relay"), message, "remove it");
    }
    if listener.strict && !listener.protocol.is_smtp() {
        reading.wrong(&format!("{path}.strict"), "only SMTP has a stricter form", "remove it");
    }
    if listener.auth_required && listener.auth == AuthOffer::Never {
        let message = "a login is required but never offered";
        reading.wrong(&format!("{path}.auth"), message, "\"tls\", or auth_required = false");
    }
}

/// Who asks as a mail server is one of `peers`.
fn hosts(listener: &Listener, path: &str, reading: &mut Reading<'_>) {
    if listener.protocol.is_interface() {
        for (key, list) in [("allow", &listener.allow), ("deny", &listener.deny)] {
            if !list.is_empty() {
                let message = format!("{} is asked by its peers only", listener.protocol.name());
                reading.wrong(&format!("{path}.{key}"), message, "list them in `peers`");
            }
        }
    }
}

/// Whoever can make a program of this host post to a port could tell of logins otherwise: a web page is enough.
fn proof(listener: &Listener, path: &str, reading: &mut Reading<'_>) {
    let is_http = listener.protocol == Protocol::AuthPolicy;
    match &listener.secret_file {
        None if is_http => {
            let message = format!("`{path}`: auth-policy needs `secret_file`");
            let hint = "a file with a line of at least 16 random characters, which Dovecot sends by \
                        auth_policy_server_api_header = X-API-Key: SECRET";
            reading.wrong(&format!("{path}.protocol"), message, hint);
        }
        Some(_) if !is_http => {
            let message = format!("{} shows no secret", listener.protocol.name());
            reading.wrong(&format!("{path}.secret_file"), message, "remove it");
        }
        _ => {}
    }
    if !listener.host_names.is_empty() && !is_http {
        let message = format!("{} is called by no name", listener.protocol.name());
        reading.wrong(&format!("{path}.host_names"), message, "remove it");
    }
}

fn pop3(listener: &Listener, path: &str, reading: &mut Reading<'_>) {
    if !listener.xclient_from.is_empty() {
        reading.wrong(&format!("{path}.xclient_from"), "XCLIENT is a command of SMTP", "remove it");
    }
    if !listener.greet_pause.is_zero() {
        let message = "only mail servers are known by waiting for the greeting";
        reading.wrong(&format!("{path}.greet_pause_ms"), message, "for SMTP listeners");
    }
    if listener.auth == AuthOffer::Never {
        reading.wrong(&format!("{path}.auth"), "nobody reads a mailbox without a login", "\"tls\" or \"always\"");
    }
}

fn mta_interface(listener: &Listener, path: &str, reading: &mut Reading<'_>) {
    let name = listener.protocol.name();
    if !listener.proxy_from.is_empty() || !listener.xclient_from.is_empty() {
        let key = if listener.proxy_from.is_empty() { "xclient_from" } else { "proxy_from" };
        reading.wrong(&format!("{path}.{key}"), format!("{name} tells of clients in its own words"), "remove it");
    }
    if listener.strict {
        reading.wrong(&format!("{path}.strict"), "only SMTP has a stricter form", "remove it");
    }
    let decides = matches!(listener.protocol, Protocol::Policy | Protocol::Milter | Protocol::Socketmap);
    if listener.relay == RelayMode::Permit && !decides {
        reading.wrong(&format!("{path}.relay"), format!("{name} does not decide about recipients"), "remove it");
    }
}

/// Whether it has its name for itself.
pub(super) fn others(listener: &Listener, others: &[Listener], path: &str, reading: &mut Reading<'_>) {
    if others.iter().any(|other| other.name == listener.name) {
        let message = format!("there are two listeners `{}`", listener.name);
        reading.wrong(&format!("{path}.name"), message, "each name once");
    }
}
