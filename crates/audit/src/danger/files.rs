//! Who may read secrets or control the server, and where mail to others goes.

use std::net::IpAddr;
use std::path::PathBuf;

use config::{Permissions, Remote, Settings, Smarthost, SmarthostTls};

use super::{Finding, Level, Lines};

pub(super) fn of(settings: &Settings, lines: &Lines) -> Vec<Finding> {
    let mut found = readable(settings, lines);
    found.extend(onward(settings, lines));
    found
}

fn readable(settings: &Settings, lines: &Lines) -> Vec<Finding> {
    let mut open: Vec<(&str, &PathBuf)> = Vec::new();
    let is_any = |permissions| permissions == Permissions::Any;
    open.extend(settings.tls.iter().filter(|it| is_any(it.permissions)).map(|it| ("tls.key", &it.key)));
    if is_any(settings.directory.permissions) {
        open.push(("directory.key", &settings.directory.key));
    }
    for listener in settings.listeners.iter().filter(|it| is_any(it.permissions)) {
        open.extend(listener.secret_file.iter().map(|file| ("secret_file", file)));
    }
    let finding = |(key, file): (&str, &PathBuf)| {
        let file = file.display();
        Finding::new(Level::Warning, "readable-secret", lines.with(&["permissions", "any"]))
            .en(format!("others than its owner may read {key} {file}"), "mode 0600, and permissions = \"owner\"")
            .ja(
                format!("{key} の {file} を所有者以外も読めます"),
                "モードを 0600 とし、permissions = \"owner\" にします",
            )
    };
    let mut found: Vec<Finding> = open.into_iter().map(finding).collect();
    if settings.admin.mode & 0o070 != 0 {
        let socket = settings.admin.socket.display();
        found.push(
            Finding::new(Level::Note, "admin-group", lines.with(&["mode"]))
                .en(
                    format!("a group may control the server by {socket}"),
                    "admin.mode = \"0600\" if nobody of it administers",
                )
                .ja(
                    format!("グループの者が {socket} でサーバーを管理できます"),
                    "管理しないなら admin.mode = \"0600\" にします",
                ),
        );
    }
    found
}

fn onward(settings: &Settings, lines: &Lines) -> Option<Finding> {
    match &settings.delivery.remote {
        Remote::Sink(path) => {
            let path = path.display();
            let finding = Finding::new(Level::Warning, "sink", lines.with(&["remote"]))
                .en(
                    format!("mail to others is not sent: it goes into {path}"),
                    "delivery.remote = \"mx\" or \"smarthost\"",
                )
                .ja(
                    format!("外へのメールは送られず、{path} に入ります"),
                    "delivery.remote を \"mx\" か \"smarthost\" にします",
                );
            Some(finding)
        }
        Remote::Smarthost(Smarthost { tls: SmarthostTls::Off | SmarthostTls::Offered, address, .. })
            if !address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) =>
        {
            let host = &address.host;
            let finding = Finding::new(Level::Note, "smarthost-tls", lines.with(&["host ", "="]))
                .en(
                    format!("mail goes to {host} without a look at its certificate, or in the clear"),
                    "delivery.smarthost.tls = \"starttls\" or \"implicit\"",
                )
                .ja(
                    format!("{host} へのメールは証明書を確かめずに、または平文で送られます"),
                    "delivery.smarthost.tls を \"starttls\" か \"implicit\" にします",
                );
            Some(finding)
        }
        Remote::Smarthost(_) | Remote::Mx => None,
    }
}
