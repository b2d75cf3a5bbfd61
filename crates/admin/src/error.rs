//! What the API answers when it cannot do what was asked.

use super::wire::{Problem, ProblemKind, RowMistake};
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
    rows: Vec<RowMistake>,
}

/// Why an operation failed, for whoever keeps account of it: rides on the response.
#[derive(Debug, Clone)]
pub(super) struct Failure(pub(super) String);

impl ApiError {
    fn of(kind: ProblemKind, text: String) -> Self {
        Self { kind, text, rows: Vec::new() }
    }

    /// A table of which rows cannot be meant.
    pub(super) fn rows(rows: Vec<RowMistake>) -> Self {
        let text = format!("nothing was changed: {} rows are wrong", rows.len());
        Self { kind: ProblemKind::Invalid, text, rows }
    }

    pub(super) fn not_running() -> Self {
        Self::of(ProblemKind::Temporary, "the server is not running".to_owned())
    }

    pub(super) fn throttled(wait: Duration) -> Self {
        let secs = wait.as_secs().max(1);
        Self::of(ProblemKind::Temporary, format!("too many wrong passwords; try again in {secs} s"))
    }

    pub(super) fn temporary(text: String) -> Self {
        Self::of(ProblemKind::Temporary, text)
    }

    pub(super) fn not_found(text: String) -> Self {
        Self::of(ProblemKind::NotFound, text)
    }

    pub(super) fn invalid(text: String) -> Self {
        Self::of(ProblemKind::Invalid, text)
    }

    pub(super) fn refused(text: String) -> Self {
        Self::of(ProblemKind::Refused, text)
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
        let status = self.status();
        let failure = Extension(Failure(self.text.clone()));
        (status, failure, Json(Problem::from(self))).into_response()
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self { kind: error.kind, error: error.text, rows: error.rows }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        let kind = match &error {
            DirectoryError::NotFound { .. } | DirectoryError::OtherKind(_) => ProblemKind::NotFound,
            DirectoryError::Exists { .. } => ProblemKind::Exists,
            DirectoryError::InUse { .. } | DirectoryError::Conflict(_) => ProblemKind::InUse,
            DirectoryError::Invalid { .. } | DirectoryError::Alias { .. } | DirectoryError::Weak(_) => {
                ProblemKind::Invalid
            }
            DirectoryError::WrongPassword => ProblemKind::WrongPassword,
            DirectoryError::Unavailable { .. } | DirectoryError::Busy => ProblemKind::Temporary,
        };
        Self::of(kind, with_causes(&error))
    }
}

impl From<state::StateError> for ApiError {
    fn from(error: state::StateError) -> Self {
        let invalid = matches!(error, state::StateError::BadLogin);
        let kind = if invalid { ProblemKind::Invalid } else { ProblemKind::Temporary };
        Self::of(kind, with_causes(&error))
    }
}

impl From<spool::AcceptError> for ApiError {
    fn from(error: spool::AcceptError) -> Self {
        Self::of(ProblemKind::Temporary, with_causes(&error))
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
