//! `/v1/alarms`.

use std::time::SystemTime;

use axum::{Json, extract::State, http::StatusCode};
use telemetry::Watch;

use super::{ApiError, Shared, wire};

/// Alarms in force, the worst first.
#[utoipa::path(get, path = "/v1/alarms", tag = "server", responses((status = 200, body = [wire::Alarm])))]
pub(super) async fn list(State(backend): Shared) -> Result<Json<Vec<wire::Alarm>>, ApiError> {
    Ok(Json(in_force(&backend.server()?.watch)))
}

/// Sends an alarm that says that it is a test to whoever is told of alarms.
#[utoipa::path(post, path = "/v1/alarms/test", tag = "server", responses((status = 204)))]
pub(super) async fn test(State(backend): Shared) -> Result<StatusCode, ApiError> {
    backend.server()?.watch.test();
    Ok(StatusCode::NO_CONTENT)
}

/// The same for `/v1/status`.
pub(super) fn in_force(watch: &Watch) -> Vec<wire::Alarm> {
    let (language, now) = (watch.language(), SystemTime::now());
    let told = watch.in_force().into_iter().map(|(alarm, since)| {
        let about = alarm.kind.about();
        wire::Alarm {
            alarm: about.code.to_owned(),
            level: about.level.code().to_owned(),
            subject: alarm.subject,
            title: about.title(language).to_owned(),
            detail: alarm.detail,
            todo: about.todo(language).to_owned(),
            commands: alarm.commands,
            since: wire::system_time(now.checked_sub(since).unwrap_or(now)),
        }
    });
    told.collect()
}
