//! DNS for the whole program: one resolver with a deadline, a bounded cache and counters.
//!
//! Answers for: that a question is over in time, that "there is none" and "it could not be found out" are never taken for
//! one another, and that what was asked lately is not asked again. Does not answer for: what an answer means
//! (`delivery` orders exchanges, the guard weighs names), nor for names of the hosts file's own networks.
//!
//! * `answer`: what a look-up yields.
//! * `resolver`: asking, by record type; `cache`: what is remembered, and how long; `counters`: how much was asked.
//! * `confirm`: an address' forward-confirmed name; `service`: a host's alias and certificates.

mod answer;
mod cache;
mod confirm;
mod counters;
mod resolver;
mod service;

pub use answer::{Answer, Exchange, Failure};
pub use counters::Counts;
pub use resolver::{Resolver, Settings, SetupError};
pub use service::Tlsa;
