//! What the API answers when it cannot do what was asked.

use super::wire::{Problem, ProblemKind};
use axum::{
    Extension, Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use directory::DirectoryError;
use std::time::Duration;

/// An answer other than success.
#[derive(Debug)]
pub struct ApiError {
    kind: ProblemKind,
    text: String,
}

/// Why an operation failed, for whoever keeps account of it: rides on the response.
#[derive(Debug, Clone)]
pub(super) struct Failure(pub(super) String);

impl ApiError {
    pub(super) fn not_running() -> Self {
        Self { kind: ProblemKind::Temporary, text: "the server is not running".to_owned() }
    }

    pub(super) fn throttled(wait: Duration) -> Self {
        let secs = wait.as_secs().max(1);
        Self { kind: ProblemKind::Temporary, text: format!("too many wrong passwords; try again in {secs} s") }
    }

    pub(super) fn temporary(text: String) -> Self {
        Self { kind: ProblemKind::Temporary, text }
    }

    pub(super) fn not_found(text: String) -> Self {
        Self { kind: ProblemKind::NotFound, text }
    }

    pub(super) fn invalid(text: String) -> Self {
        Self { kind: ProblemKind::Invalid, text }
    }

    pub(super) fn refused(text: String) -> Self {
        Self { kind: ProblemKind::Refused, text }
    }

    fn status(&self) -> StatusCode {
        match self.kind {
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::Exists | ProblemKind::InUse => StatusCode::CONFLICT,
            ProblemKind::Invalid => StatusCode::BAD_REQUEST,
            ProblemKind::WrongPassword => StatusCode::FORBIDDEN,
            ProblemKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemKind::Temporary => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let failure = Extension(Failure(self.text.clone()));
        (self.status(), failure, Json(Problem { kind: self.kind, error: self.text })).into_response()
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self { kind: error.kind, error: error.text }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        let kind = match &error {
            DirectoryError::NotFound { .. } | DirectoryError::OtherKind(_) => ProblemKind::NotFound,
            DirectoryError::Exists { .. } => ProblemKind::Exists,
            DirectoryError::InUse { .. } | DirectoryError::Conflict(_) => ProblemKind::InUse,
            DirectoryError::Invalid { .. } | DirectoryError::Alias { .. } => ProblemKind::Invalid,
            DirectoryError::WrongPassword => ProblemKind::WrongPassword,
            DirectoryError::Unavailable { .. } | DirectoryError::Busy => ProblemKind::Temporary,
        };
        Self { kind, text: with_causes(&error) }
    }
}

impl From<state::StateError> for ApiError {
    fn from(error: state::StateError) -> Self {
        let invalid = matches!(error, state::StateError::BadLogin);
        let kind = if invalid { ProblemKind::Invalid } else { ProblemKind::Temporary };
        Self { kind, text: with_causes(&error) }
    }
}

impl From<spool::AcceptError> for ApiError {
    fn from(error: spool::AcceptError) -> Self {
        Self { kind: ProblemKind::Temporary, text: with_causes(&error) }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
