//! Gathers what a report is made of: of a running server all of it, else what the files say.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use config::{IdentityCollapse, Settings};
use directory::{Account, Device, Directory, DirectoryError};
use guard::PopEvidence;
use guard::never_granted::Here;
use judge::uses::{self, Noted};
use judge::{Sources, Terms, TermsError};
use keep::Accepts;

use crate::danger::{Lines, OwnDomain, Seen};
use crate::published;
use crate::report::{Of, Report};
use crate::rows::Watched;
use crate::set::{Door, Given, Set};
use crate::text::Text;

/// A configuration is small; more is some other file.
const FILE_OCTETS_MAX: u64 = 16 << 20;
/// Domains that are looked at.
pub(crate) const DOMAINS_MAX: usize = 1_000;

/// Whether DNS is asked, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskDns {
    /// It is.
    Yes,
    /// It is not, and the report says so.
    No,
}

/// What there is to go by.
#[derive(Debug, Default)]
struct Found {
    accounts: Vec<Account>,
    devices: Vec<Device>,
    domains: Vec<OwnDomain>,
    evidence: Vec<PopEvidence>,
    banned: Vec<IpAddr>,
    collapsed: Vec<IpAddr>,
    noted: Option<Noted>,
    unseen: Vec<Text>,
}

/// Of a running server.
pub async fn running(sources: &Sources, terms: &Terms, ask: AskDns) -> Report {
    let mut found = Found { noted: Some(sources.uses.noted()), ..Found::default() };
    found.accounts(&sources.directory).await;
    match sources.state.evidence().await {
        Ok(answer) => found.evidence = answer.value,
        Err(error) => found.unseen.push(Text::new(
            format!("the grants of POP logins: {error}"),
            format!("POP ログインの中継許可（{error}）"),
        )),
    }
    match sources.state.bans().await {
        Ok(bans) => found.banned = bans.iter().map(|ban| ban.addr).collect(),
        Err(error) => {
            found.unseen.push(Text::new(format!("who is banned: {error}"), format!("接続禁止の一覧（{error}）")));
        }
    }
    found.collapsed = sources.identities.collapsed(Instant::now());
    found.report(Of::Running, terms, ask, sources.dns.as_deref()).await
}

/// Of a configuration that nobody runs: what a server would go by that starts now. `directory`: its accounts, where they can be
/// opened.
pub async fn of_file(
    settings: &Arc<Settings>,
    directory: Option<&Directory>,
    ask: AskDns,
) -> Result<Report, TermsError> {
    let terms = Terms::new(Arc::clone(settings), 1)?;
    let mut found = Found::default();
    match directory {
        Some(directory) => found.accounts(directory).await,
        None => found.unseen.push(Text::new("the accounts: they cannot be opened", "アカウント（開けません）")),
    }
    match uses::read(&uses::path(&settings.data_dir)) {
        Ok(noted) => found.noted = Some(noted),
        Err(error) => found
            .unseen
            .push(Text::new(format!("when grants were used: {error}"), format!("各許可の最後の使用（{error}）"))),
    }
    found.unseen.push(Text::new(
        "no server runs: grants of POP logins, bans, and addresses behind which strangers seem to be",
        "サーバーが動いていないため：POP ログインの中継許可、接続禁止、他人が通っている疑いのあるアドレス",
    ));
    let resolver = match ask {
        AskDns::Yes => {
            let servers = settings.dns.servers.clone();
            dns::Resolver::new(&dns::Settings { servers, timeout: settings.dns.timeout }).ok()
        }
        AskDns::No => None,
    };
    Ok(found.report(Of::File, &terms, ask, resolver.as_ref()).await)
}

impl Found {
    async fn accounts(&mut self, directory: &Directory) {
        if let Err(error) = self.read_accounts(directory).await {
            self.unseen.push(Text::new(format!("the accounts: {error}"), format!("アカウント（{error}）")));
        }
    }

    async fn read_accounts(&mut self, directory: &Directory) -> Result<(), DirectoryError> {
        self.accounts = directory.accounts(None).await?;
        self.devices = directory.devices(None).await?;
        for domain in directory.domains().await?.into_iter().take(DOMAINS_MAX) {
            let postmaster = directory.resolve("postmaster", &domain.domain, false).await;
            let abuse = directory.resolve("abuse", &domain.domain, false).await;
            self.domains.push(OwnDomain {
                domain: domain.domain,
                postmaster: postmaster.ok().map(|it| it.hosting.is_found()),
                abuse: abuse.ok().map(|it| it.hosting.is_found()),
                published: None,
            });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own")]
    async fn report(mut self, of: Of, terms: &Terms, ask: AskDns, resolver: Option<&dns::Resolver>) -> Report {
        let settings = &terms.settings;
        let relay = &terms.policy.relay;
        let here = Here { gateways: relay.never().gateways().to_vec(), own: relay.never().own().to_vec() };
        let doors: Vec<Door> = settings.listeners.iter().map(Door::new).collect();
        let is_taken = settings.relay.identity_collapse == IdentityCollapse::Enforce;
        let set = Set::new(&Given {
            own: relay,
            asked: &terms.mta_policy.relay,
            doors: &doors,
            accounts: &self.accounts,
            devices: &self.devices,
            evidence: &self.evidence,
            distrusted: if is_taken { &self.collapsed } else { &[] },
            banned: &self.banned,
            now: SystemTime::now(),
        });
        let listed = match (ask, resolver) {
            (AskDns::Yes, Some(resolver)) => {
                published::of_domains(resolver, &mut self.domains).await;
                published::listed(resolver, &set, self.noted.as_ref(), &settings.dnsbl).await
            }
            (AskDns::Yes, None) => {
                self.unseen.push(Text::new("DNS: there are no name servers", "DNS（ネームサーバーがありません）"));
                Vec::new()
            }
            (AskDns::No, _) => {
                self.unseen.push(Text::new(
                    "what DNS says of your domains and addresses: ask for it by --dns",
                    "ドメインとアドレスについて DNS の言うこと（--dns を付けると調べます）",
                ));
                Vec::new()
            }
        };
        let lines = lines(settings).await;
        let seen = Seen {
            settings,
            lines: &lines,
            set: &set,
            here: &here,
            collapsed: &self.collapsed,
            domains: &self.domains,
            listed: &listed,
        };
        Report::new(of, &seen, Watched { noted: self.noted.as_ref() }, self.unseen)
    }
}

/// The configuration's text, for the lines of what has no place of its own.
async fn lines(settings: &Settings) -> Lines {
    let file = settings.file.to_string();
    let path = std::path::PathBuf::from(&file);
    let read = tokio::task::spawn_blocking(move || keep::read(&path, FILE_OCTETS_MAX, Accepts::RegularFile)).await;
    let octets = read.ok().and_then(Result::ok).unwrap_or_default();
    Lines::new(&file, String::from_utf8_lossy(&octets).into_owned())
}
