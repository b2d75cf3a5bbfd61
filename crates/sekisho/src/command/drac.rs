//! `sekisho drac add`: what a POP server says after a login, said by hand or by a script.

use super::args::Drac;
use super::fault::{Exit, Fault};
use anyhow::anyhow;
use drac::AddResult;
use drac::client::{self, ClientError, Target};

pub(super) fn run(command: &Drac) -> Result<(), Fault> {
    let Drac::Add { server, address } = command;
    match client::add(&Target::parse(server), *address, client::WITHIN) {
        Ok(AddResult::Succeeded) => Ok(()),
        Ok(AddResult::PermissionDenied) => Err(Fault::new(Exit::No, anyhow!("Server reports permission denied"))),
        Ok(AddResult::SystemError) => Err(Fault::new(Exit::No, anyhow!("Server reports system error"))),
        Err(error @ ClientError::UnknownResult(_)) => Err(Fault::new(Exit::No, error)),
        Err(error) => Err(Fault::new(Exit::Temporary, anyhow!("{error}"))),
    }
}
