//! Listeners: what goes in the clear, who else may ask, and by which ways our users come in.

use config::{AuthOffer, Listener, Protocol, RelayMode, Settings, TlsOffer};

use super::{Finding, Level, Seen};
use crate::text::Place;

pub(super) fn of(listener: &Listener, settings: &Settings, at: Option<&Place>) -> Vec<Finding> {
    if listener.protocol.is_interface() { interface(listener, settings, at) } else { in_the_clear(listener, at) }
}

/// Our own sessions, of mail and of mailboxes.
fn in_the_clear(listener: &Listener, at: Option<&Place>) -> Vec<Finding> {
    let Listener { name, protocol, tls, auth, .. } = listener;
    let mut found = Vec::new();
    if protocol.implicit_tls() || is_only_local(listener) {
        return found;
    }
    let no_tls = *tls == TlsOffer::Off;
    if *auth == AuthOffer::Always {
        let level = if no_tls { Level::Danger } else { Level::Warning };
        found.push(
            Finding::new(level, "plain-text-auth", at.cloned())
                .en(
                    format!("listener {name} takes passwords without TLS"),
                    "auth = \"tls\"; devices without TLS log in by CRAM-MD5 or APOP with a password of their own",
                )
                .ja(
                    format!("リスナー {name} は TLS なしでパスワードを受け取ります"),
                    "auth = \"tls\" にします。TLS を使えない機器は、機器専用パスワードと CRAM-MD5 か APOP でログインします",
                ),
        );
    } else if no_tls && *protocol == Protocol::Smtp {
        found.push(
            Finding::new(Level::Warning, "no-tls", at.cloned())
                .en(
                    format!("listener {name} has no TLS: mail from other servers comes in the clear"),
                    "give [tls] a certificate; tls = \"offered\" is the default then",
                )
                .ja(
                    format!("リスナー {name} に TLS がなく、他のサーバーからのメールが平文で届きます"),
                    "[tls] に証明書を設定します。tls は \"offered\" が既定になります",
                ),
        );
    } else if no_tls {
        found.push(
            Finding::new(Level::Warning, "no-tls", at.cloned())
                .en(
                    format!(
                        "listener {name} has no TLS: hardly a program can log in, and what it sends is read by others"
                    ),
                    "give [tls] a certificate",
                )
                .ja(
                    format!("リスナー {name} に TLS がなく、ほとんどのソフトがログインできず、内容も読まれます"),
                    "[tls] に証明書を設定します",
                ),
        );
    }
    if *protocol == Protocol::Smtp && *auth != AuthOffer::Never {
        found.push(
            Finding::new(Level::Note, "logins-at-25", at.cloned())
                .en(
                    format!("listener {name} offers logins where other mail servers come: guesses come there, too"),
                    "a listener with protocol = \"submission\" for your users",
                )
                .ja(
                    format!("リスナー {name} は他のメールサーバーの来る所でログインを受け付け、推測の試みも来ます"),
                    "ユーザーには protocol = \"submission\" のリスナーを用意します",
                ),
        );
    }
    found
}

/// What other mail servers ask, and are believed in.
fn interface(listener: &Listener, settings: &Settings, at: Option<&Place>) -> Vec<Finding> {
    let Listener { name, protocol, bind, peers, .. } = listener;
    let mut found = Vec::new();
    let has_secret = listener.secret_file.is_some();
    let local = bind.iter().find(|place| place.ip().is_loopback());
    if let Some(place) = local.filter(|_| !has_secret && *protocol != Protocol::Dracd) {
        found.push(
            Finding::new(Level::Warning, "interface-local", at.cloned())
                .en(
                    format!("listener {name} at {place}: every user and program of this host may ask there"),
                    "bind = [\"unix:PATH\"], which lets in only those that socket_mode admits",
                )
                .ja(
                    format!("リスナー {name}（{place}）には、このマシンのどのユーザーとプログラムも問い合わせできます"),
                    "bind = [\"unix:PATH\"] にすると、socket_mode が許す者だけになります",
                ),
        );
    }
    let is_far = bind.iter().any(|place| !place.ip().is_loopback());
    if is_far && peers.iter().any(|net| !net.addr().is_loopback()) {
        let level = if *protocol == Protocol::Dracd { Level::Note } else { Level::Warning };
        found.push(
            Finding::new(level, "interface-far", at.cloned())
                .en(
                    format!("listener {name} believes what hosts of its `peers` tell of clients"),
                    "only mail servers of yours may be in `peers`, and nobody between them and here",
                )
                .ja(
                    format!("リスナー {name} は `peers` のホストが伝えるクライアントを信じます"),
                    "`peers` には自分のメールサーバーだけを書き、途中の経路も自分で管理します",
                ),
        );
    }
    found.extend(restricting(listener, settings, at));
    if !listener.unix.is_empty() && listener.socket_mode & 0o002 != 0 {
        found.push(
            Finding::new(Level::Warning, "interface-open-socket", at.cloned())
                .en(
                    format!("listener {name}: everybody on this host may ask at its socket"),
                    "socket_mode = \"0660\", and the mail server's group",
                )
                .ja(
                    format!("リスナー {name} のソケットには、このマシンの誰でも問い合わせできます"),
                    "socket_mode = \"0660\" とし、メールサーバーのグループにします",
                ),
        );
    }
    found
}

/// Who decides about relaying.
fn restricting(listener: &Listener, settings: &Settings, at: Option<&Place>) -> Vec<Finding> {
    let Listener { name, protocol, .. } = listener;
    let mut found = Vec::new();
    let asks = matches!(protocol, Protocol::Policy | Protocol::Milter | Protocol::Socketmap);
    if asks && listener.relay == RelayMode::Restrict {
        found.push(
            Finding::new(Level::Note, "interface-restricts", at.cloned())
                .en(
                    format!("listener {name} only takes away: a grant gives nobody the right to relay there"),
                    "relay = \"permit\" if Sekisho is to decide who relays",
                )
                .ja(
                    format!("リスナー {name} は拒否だけをします。中継許可があってもそこでは中継できません"),
                    "誰が中継できるかを Sekisho が決めるなら relay = \"permit\" にします",
                ),
        );
    }
    let knows_domains = !settings.domains.relay.is_empty() || !settings.domains.maps.is_empty();
    if *protocol == Protocol::Milter && listener.relay == RelayMode::Permit && !knows_domains {
        found.push(
            Finding::new(Level::Note, "milter-domains", at.cloned())
                .en(
                    format!(
                        "listener {name} refuses recipients without a grant, also in domains that the mail server only \
                         hands on"
                    ),
                    "name those in domains.relay or domains.maps, or write relay = \"restrict\"",
                )
                .ja(
                    format!(
                        "リスナー {name} は、メールサーバーが転送だけするドメインの宛先も、中継許可がなければ拒否します"
                    ),
                    "そのドメインを domains.relay か domains.maps に書くか、relay = \"restrict\" にします",
                ),
        );
    }
    found
}

/// Whether only this host comes there.
fn is_only_local(listener: &Listener) -> bool {
    let places = listener.bind.iter().all(|place| place.ip().is_loopback());
    places || (!listener.peers.is_empty() && listener.peers.iter().all(|net| net.addr().is_loopback()))
}

/// Providers let their customers connect to nobody's port 25: whoever is outside comes by a submission port, or not at all.
pub(super) fn ways_in(seen: &Seen<'_>) -> Vec<Finding> {
    let listeners = &seen.settings.listeners;
    let is_outside = |listener: &&Listener| !is_only_local(listener) && listener.auth != AuthOffer::Never;
    let has_submission = listeners.iter().filter(is_outside).any(|listener| {
        let ports = listener.bind.iter().any(|place| place.port() != 25);
        listener.protocol.is_smtp() && ports
    });
    let takes_mail = listeners.iter().any(|listener| listener.protocol.is_smtp() && !is_only_local(listener));
    if has_submission || !takes_mail || seen.set.logins.is_empty() {
        return Vec::new();
    }
    let at = listeners.iter().find(|listener| listener.protocol.is_smtp()).and_then(|it| seen.lines.listener(&it.name));
    vec![
        Finding::new(Level::Warning, "no-way-in", at)
            .en(
                "users outside have no way in: only port 25 is open, which most providers block for their customers",
                "a listener with protocol = \"submissions\" at port 465, and one with \"submission\" at 587",
            )
            .ja(
                "外にいるユーザーの入口がありません。開いているのは 25 番だけで、多くのプロバイダーが遮断しています（OP25B）",
                "465 番に protocol = \"submissions\"、587 番に \"submission\" のリスナーを用意します",
            ),
    ]
}

/// Mechanisms that need a secret in clear at the server, or show it.
pub(super) fn mechanisms(seen: &Seen<'_>) -> Vec<Finding> {
    let (settings, mut found) = (seen.settings, Vec::new());
    let offers = |protocol: fn(Protocol) -> bool| {
        settings.listeners.iter().any(|it| protocol(it.protocol) && it.auth != AuthOffer::Never)
    };
    let has = |name: &str| settings.auth.mechanisms.iter().any(|it| it == name);
    let has_devices = seen.set.logins.values().any(|login| login.device.as_ref().is_some_and(|it| !it.revoked));
    if has("CRAM-MD5") && has_devices && offers(|protocol| !protocol.is_interface()) {
        found.push(
            Finding::new(Level::Note, "legacy-mechanism", seen.lines.with(&["mechanisms"]))
                .en(
                    "CRAM-MD5 is offered without TLS, for devices: whoever listens can try passwords at home",
                    "remove CRAM-MD5 from auth.mechanisms when no device needs it",
                )
                .ja(
                    "機器のために TLS なしの CRAM-MD5 を受け付けています。盗聴した者はパスワードを手元で試せます",
                    "必要な機器がなくなったら auth.mechanisms から CRAM-MD5 を外します",
                ),
        );
    }
    if settings.auth.apop && has_devices && offers(Protocol::is_pop3) {
        found.push(
            Finding::new(Level::Note, "legacy-mechanism", seen.lines.with(&["apop"]))
                .en(
                    "APOP is offered at POP3, for devices: it rests on MD5",
                    "auth.apop = false when no device needs it",
                )
                .ja(
                    "機器のために POP3 で APOP を受け付けています。MD5 に頼る方式です",
                    "必要な機器がなくなったら auth.apop = false にします",
                ),
        );
    }
    found
}
