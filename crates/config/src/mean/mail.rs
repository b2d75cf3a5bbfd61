//! Queue and delivery as meant.

use super::{Meaning, below, border, secs, value};
use crate::{
    file::{self, RemoteKind, SmarthostTls},
    settings::{Delivery, HostPort, Local, Remote, Smarthost, SmarthostLogin, Spool},
};
use std::{path::Path, time::Duration};

pub(super) fn spool(spool: &file::Spool, meaning: &mut Meaning<'_>, data_dir: &Path) -> Spool {
    if spool.retry_first_secs > spool.retry_max_secs {
        let message = "`spool.retry_first_secs` is longer than `spool.retry_max_secs`";
        meaning.wrong("spool.retry_first_secs", message, "waits grow from the first to the longest");
    }
    if spool.segment_octets / 4 < spool.inline_octets {
        let message = "`spool.segment_octets` is less than four times `spool.inline_octets`";
        meaning.wrong("spool.segment_octets", message, "a segment holds several messages");
    }
    Spool {
        path: below(data_dir, &spool.path),
        segment_octets: spool.segment_octets,
        inline_octets: spool.inline_octets,
        free_octets_min: spool.free_octets_min,
        retry_first: secs(spool.retry_first_secs),
        retry_max: secs(spool.retry_max_secs),
        give_up: Duration::from_secs(u64::from(spool.give_up_hours) * 3_600),
    }
}

pub(super) fn delivery(delivery: &file::Delivery, meaning: &mut Meaning<'_>, data_dir: &Path) -> Delivery {
    Delivery {
        local: local(&delivery.local, meaning, data_dir),
        maildir_root: below(data_dir, &delivery.maildir_root),
        quota_octets: Some(delivery.quota_octets).filter(|octets| *octets > 0),
        remote: remote(delivery, meaning, data_dir),
        concurrency: usize::try_from(delivery.concurrency).unwrap_or(usize::MAX),
        concurrency_per_destination: usize::try_from(delivery.concurrency_per_destination).unwrap_or(usize::MAX),
        messages_per_connection: delivery.messages_per_connection,
        connect_timeout: secs(delivery.connect_timeout_secs),
        reply_timeout: secs(delivery.reply_timeout_secs),
    }
}

fn local(text: &str, meaning: &mut Meaning<'_>, data_dir: &Path) -> Local {
    let hint = "\"maildir\", \"lmtp:HOST:PORT\" or \"lmtp:/SOCKET\"";
    match text.strip_prefix("lmtp:") {
        Some(path) if path.starts_with('/') => Local::LmtpUnix(below(data_dir, path)),
        Some(host) => match meaning.parsed("delivery.local", value::host_port(host, 24)) {
            Some(host) => Local::LmtpTcp(host),
            None => Local::Maildir,
        },
        None => {
            if text != "maildir" {
                meaning.wrong("delivery.local", format!("`delivery.local`: \"{text}\" keeps no mailboxes"), hint);
            }
            Local::Maildir
        }
    }
}

fn remote(delivery: &file::Delivery, meaning: &mut Meaning<'_>, data_dir: &Path) -> Remote {
    match (delivery.remote, &delivery.smarthost) {
        (RemoteKind::Mx, _) => Remote::Mx,
        (RemoteKind::Sink, _) => Remote::Sink(below(data_dir, &delivery.sink)),
        (RemoteKind::Smarthost, None) => {
            let hint = "add [delivery.smarthost] with its host";
            meaning.wrong("delivery.remote", "`delivery.remote` is \"smarthost\", but there is none", hint);
            Remote::Mx
        }
        (RemoteKind::Smarthost, Some(written)) => {
            smarthost(written, meaning, data_dir).map_or(Remote::Mx, Remote::Smarthost)
        }
    }
}

fn smarthost(written: &file::Smarthost, meaning: &mut Meaning<'_>, data_dir: &Path) -> Option<Smarthost> {
    let path = "delivery.smarthost";
    let HostPort { host, .. } =
        meaning.parsed(&format!("{path}.host"), value::host_port(&written.host, written.port))?;
    let mechanism = match &written.mechanism {
        Some(name) => border::mechanism(name, &format!("{path}.mechanism"), meaning),
        None => None,
    };
    let login = match (&written.user, &written.password_file) {
        (Some(user), Some(file)) => {
            Some(SmarthostLogin { user: user.clone(), password_file: below(data_dir, file), mechanism })
        }
        (None, None) => None,
        _ => {
            meaning.wrong(path, "a login at the smarthost has `user` and `password_file`", "give both, or neither");
            None
        }
    };
    let plain = login.as_ref().is_some_and(|it| matches!(it.mechanism.as_deref(), Some("PLAIN" | "LOGIN")));
    if plain && matches!(written.tls, SmarthostTls::Off | SmarthostTls::Offered) {
        let message = "the password would go over the net in the clear";
        meaning.wrong(&format!("{path}.mechanism"), message, "tls = \"starttls\" or \"implicit\"");
    }
    Some(Smarthost { address: HostPort { host, port: written.port }, tls: written.tls, login })
}
