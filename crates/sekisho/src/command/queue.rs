//! `sekisho queue`.

use super::{
    args::{Ids, Queue, full},
    client,
    fault::Fault,
    global::Global,
    table::{list, printable, show, table, when},
};
use admin::client::{Client, Method, percent};
use admin::wire;
use keep::size;
use serde_json::json;
use terminal::{progress, time};

pub(super) async fn run(command: Queue, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Queue::List { login, held, limit } => {
            let mut query = vec![format!("limit={limit}")];
            query.extend(held.then(|| "held=true".to_owned()));
            query.extend(full(login.as_ref(), global)?.map(|it| format!("login={}", percent(&it))));
            let messages: Vec<wire::Message> = client.get(&format!("/v1/queue?{}", query.join("&"))).await?;
            show(global.form(), &messages, |messages| message_table(messages))
        }
        Queue::Show(ids) => {
            let mut messages = Vec::new();
            for id in &ids.ids {
                messages.push(client.get::<wire::Message>(&path(id)).await?);
            }
            let text = |it: &Vec<wire::Message>| it.iter().map(message_text).collect::<Vec<_>>().join("\n\n");
            show(global.form(), &messages, text)
        }
        Queue::Hold { ids, login, client: of } => {
            let whose = full(login.as_ref(), global)?
                .map(|it| format!("login={}", percent(&it)))
                .or(of.map(|it| format!("client={it}")));
            let Some(whose) = whose else { return each(&mut client, Ids { ids }, global, Some("hold")).await };
            let held: wire::Count = client.ask(Method::POST, &format!("/v1/queue/hold?{whose}"), None::<&()>).await?;
            show(global.form(), &held, |held| format!("hold: {}", held.count))
        }
        Queue::Release(ids) => each(&mut client, ids, global, Some("release")).await,
        Queue::Retry { ids, destination, all } => {
            let each = ids.iter().map(|id| format!("id={}", percent(id)));
            let named = destination.iter().map(|name| format!("destination={}", percent(name)));
            let queries: Vec<String> = each.chain(named).chain(all.then(|| "all=true".to_owned())).collect();
            retry(&mut client, &queries, global).await
        }
        Queue::Delete(ids) => each(&mut client, ids, global, None).await,
        Queue::Stats => {
            let stats: wire::QueueStats = client.get("/v1/queue/stats").await?;
            show(global.form(), &stats, stats_text)
        }
    }
}

fn path(id: &str) -> String {
    format!("/v1/queue/{}", percent(id))
}

/// Does one thing with every message; an unknown one is told after the others were done. No action is deletion.
async fn each(client: &mut Client, ids: Ids, global: &Global, action: Option<&str>) -> Result<(), Fault> {
    let mut first_fault = None;
    let mut count = 0_u64;
    for id in ids.ids {
        let done = match action {
            Some(action) => client.tell(Method::POST, &format!("{}/{action}", path(&id)), None::<&()>).await,
            None => client.tell(Method::DELETE, &path(&id), None::<&()>).await,
        };
        match done {
            Ok(()) => count += 1,
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    show(global.form(), &json!({ "count": count }), |_| format!("{}: {count}", action.unwrap_or("delete")))?;
    first_fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Tries them one after the other; an unknown one is told after the others were tried.
async fn retry(client: &mut Client, queries: &[String], global: &Global) -> Result<(), Fault> {
    let (mut first_fault, mut all) = (None, wire::Retried { messages: 0, held: 0, pending: 0, attempts: Vec::new() });
    let waiting = progress::waiting("trying");
    for query in queries {
        match client.ask::<wire::Retried>(Method::POST, &format!("/v1/queue/retry?{query}"), None::<&()>).await {
            Ok(retried) => {
                all.messages += retried.messages;
                all.held += retried.held;
                all.pending += retried.pending;
                all.attempts.extend(retried.attempts);
            }
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    drop(waiting);
    show(global.form(), &all, retried_text)?;
    first_fault.map_or(Ok(()), |fault| Err(fault.into()))
}

fn retried_text(all: &wire::Retried) -> String {
    let row = |it: &wire::Attempt| {
        [it.id.clone(), it.forward_path.clone(), it.outcome.clone(), it.relay.clone(), printable(&it.reply)]
    };
    let mut lines = vec![format!("retry: {}", all.messages)];
    if all.held > 0 {
        lines.push(format!("held, and not tried: {} (queue release)", all.held));
    }
    if all.pending > 0 {
        lines.push(format!("recipients still being tried: {}", all.pending));
    }
    if !all.attempts.is_empty() {
        lines.push(format!("\n{}", table(["ID", "TO", "OUTCOME", "BY", "REPLY"], all.attempts.iter().map(row))));
    }
    lines.join("\n")
}

fn message_table(messages: &[wire::Message]) -> String {
    let row = |it: &wire::Message| {
        let open = |it: &&wire::MessageRecipient| matches!(&*it.state, "waiting" | "held");
        let waiting: Vec<&wire::MessageRecipient> = it.recipients.iter().filter(open).collect();
        let first = waiting.first().map(|it| it.forward_path.clone()).unwrap_or_default();
        let more = waiting.len().saturating_sub(1);
        [
            it.id.clone(),
            when(Some(&it.arrived_at)),
            size::about(it.message_octets),
            format!("<{}>", it.reverse_path),
            if more == 0 { first } else { format!("{first} +{more}") },
            waiting.iter().find_map(|it| it.reason.clone()).unwrap_or_default(),
            held(it),
        ]
    };
    let octets = messages.iter().map(|it| it.message_octets).sum();
    let header = ["ID", "ARRIVED", "SIZE", "FROM", "TO", "WHY IT WAITS", "HELD"];
    let text = list(header, messages.iter().map(row), ["message", "messages"]);
    if messages.is_empty() { text } else { format!("{text}, {}", size::about(octets)) }
}

/// Why a message is held; `recipients`: only those of them that cannot be reached.
fn held(message: &wire::Message) -> String {
    match &message.hold {
        Some(why) => printable(why),
        None if message.held => "recipients".to_owned(),
        None => String::new(),
    }
}

fn message_text(message: &wire::Message) -> String {
    let by = match (&message.login, &message.grant) {
        (Some(login), Some(grant)) => format!("{login} ({grant})"),
        (None, Some(grant)) => grant.clone(),
        _ => message.origin.clone(),
    };
    let head = format!(
        "id         {}\nfrom       <{}>\nby         {}\narrived    {}\noctets     {}\nsession    {}\nheld       {}\n\n",
        message.id,
        printable(&message.reverse_path),
        printable(&by),
        time::shown(&message.arrived_at),
        message.message_octets,
        message.session,
        if message.held { held(message) } else { "no".to_owned() },
    );
    let row = |it: &wire::MessageRecipient| {
        let reason = it.reason.clone().unwrap_or_default();
        let state = it.state.clone();
        let given = it.given.clone().unwrap_or_else(|| it.forward_path.clone());
        let alias = it.alias.clone().unwrap_or_default();
        let (to, way, attempts) = (it.forward_path.clone(), it.target.clone(), it.attempts.to_string());
        let due_at = when(Some(&it.due_at));
        [to, given, alias, way, state, attempts, due_at, reason]
    };
    let header = ["TO", "GIVEN AS", "ALIAS", "BY WAY OF", "STATE", "ATTEMPTS", "NEXT", "WHY"];
    head + &table(header, message.recipients.iter().map(row))
}

fn stats_text(stats: &wire::QueueStats) -> String {
    let numbers = [
        ("messages", stats.messages),
        ("recipients", stats.recipients),
        ("deferred", stats.deferred),
        ("held", stats.held),
        ("active", stats.active),
    ];
    let mut lines: Vec<String> = numbers.iter().map(|(name, number)| format!("{name:<15} {number}")).collect();
    for (name, octets) in [("size", stats.message_octets), ("on disk", stats.disk_octets)] {
        lines.push(format!("{name:<15} {} ({octets} octets)", size::about(octets)));
    }
    lines.extend(stats.oldest_arrived_at.iter().map(|oldest| format!("{:<15} {}", "oldest", time::shown(oldest))));
    if let Some(before) = stats.messages_an_hour_ago {
        let grown = i128::from(stats.messages) - i128::from(before);
        lines.push(format!("{:<15} {grown:+} messages", "in an hour"));
    }
    if let Some(taken) = &stats.taken {
        lines.push(format!("{:<15} {} of {} taken since the start", "null senders", taken.null_sender, taken.messages));
    }
    let bucket = |it: &wire::Bucket| [it.name.clone(), it.messages.to_string()];
    lines.push(format!("\n{}", table(["AGE", "MESSAGES"], stats.ages.iter().map(bucket))));
    lines.push(format!("\n{}", table(["BROUGHT BY", "MESSAGES"], stats.origins.iter().map(bucket))));
    for (header, buckets) in [("LOGIN", &stats.logins), ("WHY IT WAITS", &stats.reasons)] {
        if !buckets.is_empty() {
            let row = |it: &wire::Bucket| [printable(&it.name), it.messages.to_string()];
            lines.push(format!("\n{}", table([header, "RECIPIENTS"], buckets.iter().map(row))));
        }
    }
    if !stats.far_sides.is_empty() {
        let row = |it: &wire::FarSide| [printable(&it.domain), it.temporary.to_string(), it.permanent.to_string()];
        lines.push(format!("\n{}", table(["REFUSED BY", "4XX", "5XX"], stats.far_sides.iter().map(row))));
    }
    lines.join("\n")
}
