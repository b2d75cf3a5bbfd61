//! STARTTLS (RFC 3207): nothing of the clear text survives it (T26).

use std::time::Instant;

use super::state::State;
use super::{Behind, Drained, Output, Session};
use crate::replies;

impl<R> Session<R> {
    pub(super) fn starttls_command(&mut self, behind: Behind, out: &mut Vec<Output<R>>) {
        let refusal = match &self.state {
            // Whoever put octets there hopes that they are read once TLS is up.
            _ if behind == Behind::Octets => return self.close(replies::tls_pipelined(), out),
            _ if self.peer.tls => replies::tls_active(),
            _ if !self.config.offer.starttls => return self.unknown(replies::not_offered(), out),
            State::Mail(_) | State::BetweenChunks(_) => replies::in_transaction(),
            _ => {
                self.state = State::Securing;
                out.push(Output::Reply(replies::tls_go_ahead()));
                return out.push(Output::StartTls(Drained(())));
            }
        };
        self.error(refusal, out);
    }

    /// All that the client said in the clear is forgotten; only the counts of the session stay.
    pub(super) fn tls_up(&mut self, now: Instant) {
        if matches!(self.state, State::Securing) {
            self.peer.tls = true;
            self.login = None;
            self.counts.ahead = 0;
            self.state = State::Fresh;
            self.waiting_since = now;
        }
    }
}
