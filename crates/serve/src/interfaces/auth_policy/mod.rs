//! Dovecot's authentication policy over HTTP: its logins become grants, its failures count as ours do.
//!
//! `proof` says whose requests are believed.

mod proof;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use guard::{PopSource, Subject};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use mta::auth_policy::{Answer, BODY_OCTETS_MAX, Command, Outcome, Request as Asked};
use state::AuthGate;
use tracing::{info, warn};

use self::proof::Door;
use super::{Connection, InForce, Served};
use judge::Terms;
use judge::auth::Origin;
use judge::evidence::{Recorder, ToldLogin};
use listen::Link;

/// How long a request's header may take, and as long its body.
const REQUEST_WAIT: Duration = Duration::from_secs(30);
/// How long a client bears to wait for its login, with what it waited here.
const CLIENT_PATIENCE: Duration = Duration::from_secs(3);
/// Longest header, in octets; Dovecot's has 300.
const HEADER_OCTETS_MAX: usize = 16 * 1024;

/// Serves one connection.
pub async fn serve(connection: &Connection, link: Link) -> Served {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(connection, request).await) });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_WAIT).max_buf_size(HEADER_OCTETS_MAX);
    match http.serve_connection(TokioIo::new(link), service).await {
        // Nothing more was asked.
        Err(error) if error.is_timeout() => Ok(()),
        ended => ended.map_err(io::Error::other),
    }
}

async fn answer(connection: &Connection, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::POST {
        return told(StatusCode::METHOD_NOT_ALLOWED, "auth-policy takes POST");
    }
    // A connection may be older than the configuration.
    let Some(InForce { terms, listener, .. }) = connection.in_force() else { return gone() };
    let Some(secret) = listener.secret.as_deref() else { return gone() };
    let host_names = &listener.settings.host_names;
    let door = Door { secret, hostname: &terms.settings.hostname, host_names };
    if let Err(why) = door.admits(request.uri(), request.headers()) {
        tell_refused(connection, &why.to_string());
        return told(why.status(), &why.to_string());
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = Limited::new(request.into_body(), BODY_OCTETS_MAX).collect();
    let body = match tokio::time::timeout(REQUEST_WAIT, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return told(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broken off"),
        Err(_) => return told(StatusCode::REQUEST_TIMEOUT, "the body does not come"),
    };
    // The body may have been long on its way.
    let Some(InForce { terms, .. }) = connection.in_force() else { return gone() };
    match Asked::parse(&query, &body.to_bytes()) {
        Ok(asked) => answered(&decide(connection, &asked, &terms).await),
        Err(error) => {
            tell_refused(connection, &error.to_string());
            told(StatusCode::BAD_REQUEST, &error.to_string())
        }
    }
}

fn tell_refused(connection: &Connection, cause: &str) {
    info!(session = %connection.session, listener = &*connection.listener, cause = ?cause, "request refused");
}

fn gone() -> Response<Full<Bytes>> {
    told(StatusCode::SERVICE_UNAVAILABLE, "the listener is in the configuration no more")
}

async fn decide(connection: &Connection, asked: &Asked, terms: &Terms) -> Answer {
    let Some(remote) = asked.remote.map(guard::canonical_ip) else { return Answer::Continue };
    let login = connection.border.sources.directory.tried_login(&asked.login);
    let (origin, hash) = (connection.origin(remote), asked.pwhash.as_str().as_bytes());
    let asked_at = Instant::now();
    match &asked.command {
        Command::Allow if is_barred(connection, &origin, &login).await => Answer::Refuse("".into()),
        Command::Allow => match origin.admitted_elsewhere(&login, hash).await {
            Ok(AuthGate::Go) => Answer::Continue,
            Ok(AuthGate::Wait(delay)) => Answer::Delay(delay_secs(delay, asked_at.elapsed())),
            Ok(AuthGate::Locked(_)) => Answer::Refuse("".into()),
            // As with accounts that cannot be asked about: Dovecot decides.
            Err(error) => {
                warn!(session = %connection.session, %error, "login unchecked");
                Answer::Continue
            }
        },
        // We refused it ourselves.
        Command::Report(Outcome { policy_reject: true, .. }) => Answer::Continue,
        Command::Report(Outcome { success: false, .. }) => {
            origin.failed_elsewhere(&login, hash, &asked.protocol).await;
            Answer::Continue
        }
        Command::Report(_) => {
            origin.succeeded_elsewhere(&login, hash, &asked.protocol).await;
            if reads_mail(asked) {
                record(&connection.recorder(terms), &login, remote).await;
            }
            Answer::Continue
        }
    }
}

/// An account of ours that may not log in here may not there either. Where that cannot be found out, Dovecot decides.
async fn is_barred(connection: &Connection, origin: &Origin, login: &str) -> bool {
    match connection.border.sources.directory.identity(login, origin.ip).await {
        Ok(Err(why)) if why != directory::Why::UnknownLogin => {
            origin.barred_elsewhere(login, why);
            true
        }
        _ => false,
    }
}

/// Only who reads a mailbox is on the way to send.
fn reads_mail(asked: &Asked) -> bool {
    matches!(asked.protocol.as_str(), "pop3" | "imap")
}

async fn record(recorder: &Recorder<'_>, login: &str, client: IpAddr) {
    let Some(account) = recorder.account_elsewhere(login, client).await else { return };
    let told = ToldLogin { client, subject: Subject::Account(account), source: PopSource::AuthPolicy, proved: None };
    recorder.record(&told).await;
}

/// Dovecot counts in seconds: rounded up, but not beyond what is left of the client's patience.
fn delay_secs(delay: Duration, waited: Duration) -> u32 {
    let left = CLIENT_PATIENCE.saturating_sub(waited).as_secs();
    let secs = u64::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).min(left);
    u32::try_from(secs).unwrap_or(u32::MAX)
}

fn answered(answer: &Answer) -> Response<Full<Bytes>> {
    json(StatusCode::OK, answer.to_json())
}

/// Dovecot goes by the status alone, as its `auth_policy_reject_on_fail` has it; the text is for people.
fn told(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({ "error": text }).to_string())
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_dovecot_waits_three_seconds_at_most() {
        let secs = |delay, waited| delay_secs(Duration::from_millis(delay), Duration::from_millis(waited));
        for (delay, waited, expected) in [(250, 1, 1), (2_000, 1, 2), (2_500, 0, 3), (2_500, 1, 2), (1_000, 1_500, 1)] {
            assert_eq!(secs(delay, waited), expected, "{delay} {waited}");
        }
    }
}
