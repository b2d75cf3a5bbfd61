//! Looking without touching: what is known now for a command that nobody gave. Nothing is counted, remembered, told or kept, and no
//! next hop is asked.

use guard::{Command, Gathered, Need, Reserved};

use super::bench::Judge;
use super::case::{Case, Login};
use super::session::SessionId;
use super::{gather, reserve};

impl Case {
    /// A case that is only looked at.
    pub fn imagined(guard: guard::Case) -> Self {
        Self { guard, session: SessionId::NOBODYS, listener: "".into(), login: Login::Nobody, ended: None }
    }

    /// What the guard knows of it.
    pub fn as_guard(&self) -> &guard::Case {
        &self.guard
    }

    /// The same for who judges it himself.
    pub fn as_guard_mut(&mut self) -> &mut guard::Case {
        &mut self.guard
    }
}

impl Judge<'_> {
    /// What a command of an imagined case needs, as it is known now.
    pub async fn look_up(&self, case: &Case, command: &Command<'_>, needs: &[Need]) -> Vec<Gathered> {
        gather::looked_up(*self, case, command, needs).await
    }

    /// Whether there would be places now.
    pub async fn has_places(&self, case: &Case, charges: &[guard::Charge]) -> Reserved {
        reserve::all(*self, case, charges).await.reserved
    }
}
