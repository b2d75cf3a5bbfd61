//! `libdrac`: the C library that POP and IMAP servers link to tell a DRAC server of a login.
//!
//! Symbols, return values and message texts are those of the original, so that programs built for it work unchanged. A call
//! takes two seconds at most, since a user waits for it.
//!
//! * [`ffi`]: the functions that C sees, the only unsafe code.
//! * [`outcome`]: return values and texts.
//! * [`handle`]: the one connection each that `dracconn` and `dracconn6` keep.

pub mod ffi;
mod handle;
mod outcome;
