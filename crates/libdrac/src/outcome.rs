//! What a call returns to C: a number, and a text for `errmsg`.

use std::ffi::CStr;

use drac::AddResult;
use drac::client::ClientError;

/// Done, and the server's "succeeded".
const DONE: i32 = 0;
/// There is no handle: the server was not found, or nothing is connected.
const NO_HANDLE: i32 = -1;
/// The call has no result.
const CALL_FAILED: i32 = -2;
/// A result without a meaning.
const UNKNOWN: i32 = 3;

/// A text that always reads the same, or one made for this call.
pub(crate) enum Text {
    Fixed(&'static CStr),
    Made(String),
}

pub(crate) struct Outcome {
    pub(crate) value: i32,
    pub(crate) text: Text,
}

impl Outcome {
    fn fixed(value: i32, text: &'static CStr) -> Self {
        Self { value, text: Text::Fixed(text) }
    }

    pub(crate) fn connected() -> Self {
        Self::fixed(DONE, c"Connect succeeded")
    }

    pub(crate) fn disconnected() -> Self {
        Self::fixed(DONE, c"Disconnect succeeded")
    }

    pub(crate) fn not_connected() -> Self {
        Self::fixed(NO_HANDLE, c"Not connected")
    }

    /// A fault of ours, which ends neither the process nor the login.
    pub(crate) fn panicked() -> Self {
        Self::fixed(CALL_FAILED, c"call failed: RPC: internal error of libdrac")
    }
}

impl From<AddResult> for Outcome {
    fn from(result: AddResult) -> Self {
        match result {
            AddResult::Succeeded => Self::fixed(0, c"Server reports add succeeded"),
            AddResult::PermissionDenied => Self::fixed(1, c"Server reports permission denied"),
            AddResult::SystemError => Self::fixed(2, c"Server reports system error"),
        }
    }
}

impl From<ClientError> for Outcome {
    fn from(error: ClientError) -> Self {
        let value = match &error {
            ClientError::NoHandle { .. } => NO_HANDLE,
            ClientError::CallFailed(_) => CALL_FAILED,
            ClientError::UnknownResult(_) => UNKNOWN,
        };
        Self { value, text: Text::Made(error.to_string()) }
    }
}

impl From<Result<AddResult, ClientError>> for Outcome {
    fn from(result: Result<AddResult, ClientError>) -> Self {
        result.map_or_else(Self::from, Self::from)
    }
}
