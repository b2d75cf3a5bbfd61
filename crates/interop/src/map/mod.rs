//! Files that say who may and who may not, as other mail servers write them.

pub mod kind;

pub use kind::{Kind, Spec};
