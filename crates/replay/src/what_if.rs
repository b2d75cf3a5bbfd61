//! What would have changed a refusal: each supposition is judged, alone first; of two together only where none does it alone. What
//! is not judged to be accepted, and all that something unknown went into, is not told.

use guard::Fact;
use records::Kept;
use smtp::Domain;

use crate::again::{Again, again};
use crate::known::By;
use crate::subject::{Subject, Unjudged, manner};
use crate::supposed::{self, About, Supposed, Supposition};

/// Suppositions that are tried in pairs.
const PAIRED_MAX: usize = 12;
/// Lines that are told.
const TOLD_MAX: usize = 10;
/// What is told where it would be accepted now.
const NOW: &str = "it came now: the configuration or what is known has changed since";

/// Each line ends the sentence "would be accepted if …"; none: it was not refused, or nothing of what is tried does it.
pub async fn accepted_if(record: &Kept, by: &By<'_>) -> Result<Vec<String>, Unjudged> {
    let subject = Subject::of(record)?;
    if record.refused.is_none() || subject.is_beyond_policy() {
        return Ok(Vec::new());
    }
    Ok(of(&subject, by).await)
}

/// The same for a record as it is kept, by the server that is asked now; nothing where it cannot be judged.
pub async fn accepted_by(kept: &Kept, judge: judge::Judge<'_>) -> Vec<String> {
    let Some(manner) = manner(kept) else { return Vec::new() };
    let by = By::terms(judge.terms, manner).looking(judge);
    Box::pin(accepted_if(kept, &by)).await.unwrap_or_default()
}

async fn of(subject: &Subject, by: &By<'_>) -> Vec<String> {
    let now = again(subject.clone(), by).await;
    if is_accepted(&now) {
        return vec![NOW.to_owned()];
    }
    let only_deny = only_deny(by);
    let about = About {
        subject,
        policy: by.policy,
        came: &now.came,
        owners: owners(subject, by).await,
        own_domain: own_domain(by),
        only_deny: &only_deny,
    };
    let all = supposed::all(&about);
    let mut told = Vec::new();
    for one in &all {
        if told.len() < TOLD_MAX && is_accepted_with(&about, by, one).await {
            told.push(one.text.clone());
        }
    }
    if !told.is_empty() {
        return told;
    }
    for one in all.iter().take(PAIRED_MAX) {
        with_one_more(&about, by, one, &mut told).await;
    }
    told
}

/// Where a supposition alone leads to another refusal: what would change that.
async fn with_one_more(about: &About<'_>, by: &By<'_>, one: &Supposition, told: &mut Vec<String>) {
    let mut supposed = Supposed::of(about);
    one.apply(&mut supposed);
    if supposed.is_void || told.len() >= TOLD_MAX {
        return;
    }
    let came = again(supposed.subject.clone(), &judged_by(by, &supposed.policy)).await.came;
    if came.is_accepted() || came.refused == about.came.refused {
        return;
    }
    let Supposed { subject, policy, .. } = &supposed;
    let (owners, own_domain) = (about.owners.clone(), about.own_domain.clone());
    let then = About { subject, policy, came: &came, owners, own_domain, only_deny: about.only_deny };
    for two in supposed::all(&then) {
        if told.len() < TOLD_MAX && is_accepted_with(&then, by, &two).await {
            told.push(format!("{}, and {}", one.text, two.text));
        }
    }
}

fn judged_by<'a>(by: &By<'a>, policy: &'a guard::Policy) -> By<'a> {
    let by = By { policy, ..*by };
    by.judge.map_or(by, |judge| by.looking(judge))
}

async fn is_accepted_with(about: &About<'_>, by: &By<'_>, supposition: &Supposition) -> bool {
    let mut supposed = Supposed::of(about);
    supposition.apply(&mut supposed);
    !supposed.is_void && is_accepted(&again(supposed.subject, &judged_by(by, &supposed.policy)).await)
}

fn is_accepted(again: &Again) -> bool {
    again.came.is_accepted() && again.unknown.is_empty() && !again.assumed_place
}

/// The logins that own the reverse-path: as recorded, else as the accounts have it now.
async fn owners(subject: &Subject, by: &By<'_>) -> Vec<String> {
    if let Some(Fact::Known(guard::Value::Owners(owners))) = subject.fact(guard::FactName::Owners) {
        return owners.clone();
    }
    let (Some(judge), Some(reverse_path)) = (&by.judge, subject.reverse_path()) else { return Vec::new() };
    match judge::facts::owners(&judge.sources.directory, reverse_path).await {
        Fact::Known(owners) => owners,
        Fact::Unknown(_) => Vec::new(),
    }
}

fn own_domain(by: &By<'_>) -> Option<Domain> {
    by.terms?.settings.domains.default.clone()
}

fn only_deny(by: &By<'_>) -> Vec<String> {
    let access = by.terms.map_or(&[][..], |terms| terms.settings.access.as_slice());
    access.iter().filter(|it| it.map.kind.as_str() == "deny").map(|it| it.map.path.display().to_string()).collect()
}
