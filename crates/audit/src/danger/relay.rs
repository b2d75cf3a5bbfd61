//! Who relays without a login: networks, the client map, grants.

use std::net::IpAddr;

use config::section::access::Mode;
use config::{IdentityCollapse, Settings};
use guard::is_public;
use ipnet::IpNet;
use judge::gateways::TYPICAL;

use super::{Finding, Level, Lines, Seen};
use crate::set::Listed;
use crate::text::Place;

/// A private network of more addresses than this is wider than a site's clients need.
const PRIVATE_BITS: u8 = 16;
/// The same of IPv6: a /64 is one link.
const V6_BITS: u8 = 64;

/// What the configuration alone shows.
#[expect(clippy::too_many_lines, reason = "a table in order")]
pub(super) fn of(settings: &Settings, lines: &Lines) -> Vec<Finding> {
    let relay = &settings.relay;
    let mut found = Vec::new();
    for network in relay.networks.iter().filter(|it| it.net.prefix_len() < it.net.max_prefix_len()) {
        found.push(
            Finding::new(Level::Note, "network", lines.at(&network.place))
                .en(
                    format!("every host of {} relays without a login, with any sender", network.net),
                    "name single hosts, or let devices log in: sekisho user device add",
                )
                .ja(
                    format!("{} のすべてのホストが、ログインなしで、どの送信者でも中継できます", network.net),
                    "ホストを一つずつ書くか、機器にログインさせます（sekisho user device add）",
                ),
        );
    }
    if relay.drac.udp_from_others {
        found.push(
            Finding::new(Level::Warning, "drac-udp", lines.with(&["udp_from_others"]))
                .en(
                    "adds by UDP are believed from other hosts, and whoever forges a source address makes grants",
                    "TCP, or a network between them that nobody else reaches",
                )
                .ja(
                    "他のホストからの UDP による追加を信じるため、送信元を偽る者が中継許可を作れます",
                    "TCP を使うか、他の誰も入れないネットワークでつなぎます",
                ),
        );
    }
    if relay.drac.loopback {
        found.push(
            Finding::new(Level::Warning, "drac-loopback", lines.with(&["loopback"]))
                .en(
                    "127.0.0.1 may get a grant: whatever runs on this host or comes through a proxy here relays by it",
                    "loopback = false, but for trying out",
                )
                .ja(
                    "127.0.0.1 に中継許可が出るため、このマシンのプログラムやプロキシー経由の誰もが中継できます",
                    "試すとき以外は loopback = false にします",
                ),
        );
    }
    if relay.export.is_some() {
        found.push(
            Finding::new(Level::Warning, "export", lines.with(&["export"]))
                .en(
                    "a file of grants cannot fail closed: what is in it relays even when nobody keeps it",
                    "policy, socketmap or milter, where the mail server has one of them",
                )
                .ja(
                    "中継許可のファイルは、更新する者がいなくなっても中身のとおりに中継を認め続けます",
                    "メールサーバーにあるなら policy、socketmap、milter のどれかを使います",
                ),
        );
    }
    for access in settings.access.iter().filter(|access| access.mode == Mode::Observe) {
        let map = access.map.path.display();
        found.push(
            Finding::new(Level::Note, "access-observed", lines.at(&access.map.place))
                .en(
                    format!("the map {map} refuses nobody: it is only told in the log"),
                    "mode = \"enforce\" when the log shows nobody who must pass",
                )
                .ja(
                    format!("マップ {map} は誰も拒否せず、ログに記録するだけです"),
                    "通すべき相手がログに出なくなったら mode = \"enforce\" にします",
                ),
        );
    }
    found
}

/// What the set and the machine's place in the network show.
pub(super) fn of_set(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for listed in seen.set.networks.iter().chain(&seen.set.clients) {
        found.extend(width(listed));
        found.extend(gateways(listed, seen));
        found.extend(own_addresses(listed, seen));
    }
    for pattern in seen.set.names.iter().filter(|pattern| pattern.text.starts_with('.')) {
        found.push(
            Finding::new(Level::Warning, "wide-name", Some(Place::from(&pattern.line)))
                .en(
                    format!("every host below {} relays: whoever may write that DNS zone lets others in", pattern.text),
                    "name the hosts one by one",
                )
                .ja(
                    format!(
                        "{} の下のすべてのホストが中継できます。その DNS を書ける者が他人も入れられます",
                        pattern.text
                    ),
                    "ホストを一つずつ書きます",
                ),
        );
    }
    found.extend(collapsed(seen));
    found.extend(grants(seen));
    found
}

fn width(listed: &Listed) -> Option<Finding> {
    let Listed { net, line } = listed;
    let at = Some(Place::from(line));
    let is_wide = match net {
        IpNet::V4(_) if is_public(net.addr()) => net.prefix_len() < net.max_prefix_len(),
        IpNet::V4(_) => net.prefix_len() <= PRIVATE_BITS,
        IpNet::V6(_) => net.prefix_len() < V6_BITS,
    };
    if !is_wide {
        return None;
    }
    let count = match net {
        IpNet::V4(net) => format!("{}", 1_u64 << (32 - net.prefix_len())),
        IpNet::V6(net) => format!("2^{}", 128 - net.prefix_len()),
    };
    let finding = if is_public(net.addr()) && net.addr().is_ipv4() {
        Finding::new(Level::Warning, "public-range", at)
            .en(
                format!("{net} is public: {count} addresses relay, whoever has them now"),
                "name single addresses, or let the clients log in",
            )
            .ja(
                format!("{net} は公開アドレスで、今それを使う者が誰でも（{count} 個）中継できます"),
                "アドレスを一つずつ書くか、クライアントにログインさせます",
            )
    } else {
        Finding::new(Level::Warning, "wide-range", at)
            .en(
                format!("{net} holds {count} addresses, guests and infected machines among them"),
                "name the networks of those clients that must relay, or let them log in",
            )
            .ja(
                format!("{net} には {count} 個のアドレスがあり、来客や感染した機械も含まれます"),
                "中継の要るクライアントのネットワークだけを書くか、ログインさせます",
            )
    };
    Some(finding)
}

/// Behind a gateway's or a bridge's address anybody may be.
fn gateways(listed: &Listed, seen: &Seen<'_>) -> Vec<Finding> {
    let Listed { net, line } = listed;
    let at = || Some(Place::from(line));
    let mut found = Vec::new();
    for gateway in seen.here.gateways.iter().filter(|gateway| net.contains(*gateway)) {
        found.push(
            Finding::new(Level::Note, "gateway-in-range", at())
                .en(
                    format!("{net} holds the default gateway {gateway}, which itself may not relay"),
                    "nothing, if it does not hide your clients; else have it pass on their addresses (PROXY protocol)",
                )
                .ja(
                    format!("{net} に既定のゲートウェイ {gateway} が含まれます。これ自体は中継できません"),
                    "クライアントを隠していなければそのままで構いません。隠すなら PROXY プロトコルで元のアドレスを渡します",
                ),
        );
    }
    for typical in TYPICAL.iter().filter(|typical| net.contains(&IpAddr::V4(typical.address))) {
        let address = IpAddr::V4(typical.address);
        if seen.here.gateways.contains(&address) {
            continue;
        }
        let is_alone = net.prefix_len() == net.max_prefix_len();
        let level = if is_alone || seen.here.own.contains(&address) { Level::Danger } else { Level::Warning };
        found.push(
            Finding::new(level, "container-gateway", at())
                .en(
                    format!(
                        "{net} holds {address}, the usual bridge of {}: through a bridge everybody outside has its address",
                        typical.of
                    ),
                    "take it out of the network, and have the bridge keep or pass on the clients' addresses",
                )
                .ja(
                    format!(
                        "{net} に {} の標準のブリッジ {address} が含まれます。ブリッジ越しでは外の誰もがそのアドレスになります",
                        typical.of
                    ),
                    "ネットワークから外し、元のアドレスが残る（または渡される）ようにします",
                ),
        );
    }
    found
}

/// Every program of this machine has its addresses.
fn own_addresses(listed: &Listed, seen: &Seen<'_>) -> Option<Finding> {
    let Listed { net, line } = listed;
    let own = seen.here.own.iter().find(|own| net.contains(*own) && !own.is_loopback());
    let loopback = net.addr().is_loopback().then(|| net.addr());
    let address = own.copied().or(loopback)?;
    Some(
        Finding::new(Level::Warning, "own-address", Some(Place::from(line)))
            .en(
                format!("{net} holds {address}, an address of this machine: its programs relay, a web form among them"),
                "let those programs log in, or name the networks without this machine",
            )
            .ja(
                format!("{net} にこのマシンのアドレス {address} が含まれ、Web フォームなどのプログラムも中継できます"),
                "それらのプログラムにログインさせるか、このマシンを除いて書きます",
            ),
    )
}

fn collapsed(seen: &Seen<'_>) -> Vec<Finding> {
    let mode = seen.settings.relay.identity_collapse;
    let mut found = Vec::new();
    for address in seen.collapsed {
        let is_taken = mode == IdentityCollapse::Enforce;
        let level = if is_taken { Level::Warning } else { Level::Danger };
        let listed = seen.set.networks.iter().chain(&seen.set.clients).find(|listed| listed.net.contains(address));
        let (now, now_ja) = if is_taken {
            ("its right is taken away for now", "今は中継を止めています")
        } else {
            ("and it still relays", "今も中継できます")
        };
        found.push(
            Finding::new(level, "collapsed", listed.map(|listed| Place::from(&listed.line)))
                .en(
                    format!(
                        "{address} shows many names and many sender domains: strangers seem to come through it; {now}"
                    ),
                    "list the real clients in its place; relay.identity_collapse = \"enforce\" takes its right away",
                )
                .ja(
                    format!("{address} は多くの名前と送信者ドメインを示し、他人が通っている疑いがあります（{now_ja}）"),
                    "本当のクライアントを書きます。relay.identity_collapse = \"enforce\" で中継を止められます",
                ),
        );
    }
    let trusts = !seen.set.networks.is_empty() || !seen.set.clients.is_empty();
    if mode == IdentityCollapse::Off && trusts {
        found.push(
            Finding::new(Level::Warning, "collapse-off", seen.lines.with(&["identity_collapse"]))
                .en(
                    "nobody looks whether strangers come through a trusted address",
                    "relay.identity_collapse = \"observe\" or \"enforce\"",
                )
                .ja(
                    "信頼するアドレスを他人が通っていないかを調べていません",
                    "relay.identity_collapse を \"observe\" か \"enforce\" にします",
                ),
        );
    }
    found
}

/// POP before SMTP.
fn grants(seen: &Seen<'_>) -> Vec<Finding> {
    let Some(pop) = &seen.set.pop else { return Vec::new() };
    let mut found = vec![
        Finding::new(Level::Note, "pop-before-smtp", Some(Place::from(&pop.line)))
            .en(
                "a POP login lets its address relay for a while: whoever shares the address may use it, within the account's \
                 senders and quota",
                "let clients log in by SMTP where they can; sekisho grant list shows who still depends on it",
            )
            .ja(
                "POP のログインで、そのアドレスがしばらく中継できます。同じアドレスの他人も、その送信者と上限の範囲で使えます",
                "できるクライアントには SMTP でログインさせます。まだ頼るユーザーは sekisho grant list で分かります",
            ),
    ];
    if matches!(pop.senders, guard::DracSenders::Any) {
        found.push(
            Finding::new(Level::Warning, "drac-any-sender", seen.lines.with(&["senders"]))
                .en("an address that DRAC named may send with any sender", "relay.drac.senders = \"hosted\", or a list")
                .ja(
                    "DRAC が伝えたアドレスは、どの送信者でも送れます",
                    "relay.drac.senders を \"hosted\" か一覧にします",
                ),
        );
    }
    for grant in seen.set.grants.iter().filter(|grant| grant.shared) {
        found.push(
            Finding::new(Level::Note, "shared-grant", None)
                .en(
                    format!("several accounts have a grant at {}: it is a shared address", grant.addr),
                    "let those users log in by SMTP",
                )
                .ja(
                    format!("{} では複数のアカウントに中継許可があります（共有アドレス）", grant.addr),
                    "そのユーザーには SMTP でログインさせます",
                ),
        );
    }
    found
}
