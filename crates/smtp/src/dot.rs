//! The text behind DATA.
