//! The words of a refusal: codes and texts stand in `smtp::replies`, or in the access map that said no.

use std::fmt::Display;

use guard::rule::Said;
use guard::{Detail, ExplainId, Reason, Refusal};
use smtp::replies;
use smtp::reply::{Enhanced, Reply};

/// The reply to a refusal that names `subject`.
pub(super) fn to(refusal: &Refusal, subject: &dyn Display, id: ExplainId) -> Reply {
    match refusal.reason {
        Reason::RelayDenied | Reason::SenderNotGranted | Reason::NullSenderNotGranted | Reason::LiteralRefused => {
            replies::relay_denied(subject, &id)
        }
        Reason::UnknownUser => replies::unknown_user(subject, &id),
        Reason::RelayLocked => replies::relay_locked(subject, &id),
        Reason::DomainOff => replies::domain_off(subject, &id),
        Reason::ConfigurationFault => replies::misconfigured(subject, &id),
        Reason::SenderNotYours => replies::sender_not_yours(subject, &id),
        Reason::AuthorityUnavailable => replies::authority_unavailable(subject, &id),
        Reason::GrantExhausted => replies::grant_exhausted(subject, &id),
        Reason::RoutingRefused => replies::routing_refused(subject, &id),
        Reason::RecipientOutOfScope => replies::recipient_out_of_scope(subject, &id),
        Reason::MailboxFull => replies::mailbox_full(subject, &id),
        Reason::TooManyConnections => replies::too_many_connections(),
        Reason::Busy => replies::busy(),
        Reason::Banned => replies::banned(),
        Reason::RefusedByRecipient => replies::refused_by_recipient(subject, &id),
        Reason::TooManyUnknown => replies::recipients_guessed(subject),
        Reason::Suspicious => replies::suspicious(subject, &id),
        Reason::HeloRefused => replies::helo_refused(subject, &id),
        Reason::Listed => replies::listed(subject, zone(refusal), &id),
        Reason::Greylisted => replies::greylisted(subject, wait_secs(refusal), &id),
        Reason::AccessDenied | Reason::AccessDeferred => access(refusal.said.as_ref(), subject, id),
    }
}

/// The list that has the client, as the configuration calls it.
fn zone(refusal: &Refusal) -> &str {
    match &refusal.detail {
        Some(Detail::Zone(zone)) => zone,
        _ => "a DNS list",
    }
}

fn wait_secs(refusal: &Refusal) -> Option<u32> {
    match refusal.detail {
        Some(Detail::WaitSecs(secs)) => Some(secs),
        _ => None,
    }
}

/// The map's own code and words, with our id behind them.
fn access(said: Option<&Said>, path: &dyn Display, id: ExplainId) -> Reply {
    let Some(said) = said else { return replies::policy_refused(path, &id) };
    let class = if said.code < 500 { 4 } else { 5 };
    let given = said.enhanced.as_deref().and_then(enhanced).filter(|code| code.0 == class);
    let text = format!("{path}: {} [{id}]", said.text);
    Reply::new(said.code, given.unwrap_or(Enhanced(class, 7, 1)), text)
}

/// `5.7.1`.
fn enhanced(text: &str) -> Option<Enhanced> {
    let mut parts = text.split('.');
    let code = Enhanced(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_s_words_are_kept() {
        let said = |code, enhanced: Option<&str>| Said {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: "Go away".to_owned(),
        };
        let told = |said| {
            let new = Refusal::new(Reason::AccessDenied, guard::Part::Recipient);
            let refusal = Refusal { said: Some(said), ..new };
            to(&refusal, &"<a@b.example>", ExplainId::from_random(1)).to_string()
        };
        assert!(told(said(550, None)).starts_with("550 5.7.1 <a@b.example>: Go away ["), "{}", told(said(550, None)));
        assert!(told(said(554, Some("5.1.8"))).starts_with("554 5.1.8 "));
        assert!(told(said(450, Some("5.1.8"))).starts_with("450 4.7.1 "), "the class must fit the code");
    }
}
