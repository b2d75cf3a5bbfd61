//! Numbers and alarms: metrics for whoever scrapes them, health and readiness, and what an operator must be told at once.
//!
//! Answers for: which numbers there are and their form, when something is an alarm, how often it is told and to whom. Does not answer
//! for: counting (each place counts what happens there, in [`keep::tally`]), nor for what the server knows of itself, which it hands
//! in as [`Numbers`] and [`Look`].
//!
//! | file | answers for |
//! |---|---|
//! | `numbers`, `page` | all numbers; OpenMetrics |
//! | `http`, `health` | the listener of `[metrics]`; whether the server is ready |
//! | `alarm` | the table of alarms, in two languages |
//! | `rules` | when something is one; pure |
//! | `pad` | how much each sender sends, counted without a lock |
//! | `far` | what other servers say no to |
//! | `desk` | which are in force, and which are worth a word; pure |
//! | `courier` | brings them to receivers that may be down: `webhook`, `command`, `letter` |
//! | `watch` | all of it together |

pub mod alarm;
mod command;
mod courier;
mod desk;
mod far;
mod health;
pub mod http;
mod letter;
pub mod numbers;
mod pad;
mod page;
mod rules;
mod watch;
mod webhook;

pub use alarm::{Alarm, Kind, Level, Message};
pub use far::FarSide;
pub use health::Health;
pub use http::Pages;
pub use letter::{envelope, letter};
pub use numbers::{List, Listening, MET, Numbers, Queue, memory_octets, oldest};
pub use pad::{ByGrant, Pad, Seen, Sender};
pub use rules::Look;
pub use watch::{Post, Posting, Watch};
