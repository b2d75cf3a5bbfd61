//! TRANSACTION: the maildrop is open and locked. Nothing is deleted before QUIT.

use super::{Asked, Output, Question, Session, State, Transaction, Wanted};
use crate::command::Command;
use crate::listing::{Column, Lines, Marks};
use crate::replies;
use crate::reply::Reply;

/// What a command in TRANSACTION comes to; a mistake is `Err` with its reply.
enum Act {
    Say(Reply),
    List(Reply, Lines),
    Send(Wanted),
    Quit(Vec<u32>),
}

impl Session {
    pub(super) fn transaction_command(&mut self, command: &Command<'_>, out: &mut Vec<Output>) {
        let State::Transaction(transaction) = &mut self.state else { return };
        match transaction.act(command) {
            Ok(Act::Say(reply)) => out.push(Output::Reply(reply)),
            Ok(Act::List(reply, lines)) => out.extend([Output::Reply(reply), Output::Lines(lines)]),
            Ok(Act::Send(wanted)) => self.ask(Asked::Message, Question::Message(wanted), out),
            Ok(Act::Quit(deleted)) if deleted.is_empty() => self.close(replies::bye(), out),
            Ok(Act::Quit(deleted)) => {
                self.ask(Asked::Commit { messages: deleted.len() }, Question::Commit { deleted }, out);
            }
            Err(reply) => self.error(reply, out),
        }
    }
}

impl Transaction {
    fn act(&mut self, command: &Command<'_>) -> Result<Act, Reply> {
        match *command {
            Command::Stat => Ok(Act::Say(replies::stat(self.messages(), self.octets()))),
            Command::List(None) => Ok(self.list(Column::Octets)),
            Command::Uidl(None) => Ok(self.list(Column::UniqueId)),
            Command::List(Some(number)) => Ok(Act::Say(replies::listed(number, &self.there(number)?.to_string()))),
            Command::Uidl(Some(number)) => {
                self.there(number)?;
                Ok(Act::Say(replies::listed(number, self.listing.unique_id(number).unwrap_or("-"))))
            }
            Command::Retr(number) => Ok(Act::Send(Wanted { number, lines: None, octets: self.there(number)? })),
            Command::Top(number, lines) => {
                Ok(Act::Send(Wanted { number, lines: Some(lines), octets: self.there(number)? }))
            }
            Command::Dele(number) => {
                let octets = self.there(number)?;
                self.marks.add(number, octets);
                Ok(Act::Say(replies::marked(number)))
            }
            Command::Rset => {
                self.marks = Marks::default();
                Ok(Act::Say(replies::unmarked(self.messages(), self.octets())))
            }
            Command::Noop => Ok(Act::Say(replies::noop())),
            Command::Quit => Ok(Act::Quit(self.marks.numbers())),
            _ => Err(replies::not_now()),
        }
    }

    /// Octets of a message that is there and not marked as deleted.
    fn there(&self, number: u32) -> Result<u64, Reply> {
        let octets = self.listing.octets(number).filter(|_| !self.marks.has(number));
        octets.ok_or_else(replies::no_such_message)
    }

    fn list(&self, column: Column) -> Act {
        let lines = Lines::new(self.listing.clone(), self.marks.clone(), column);
        Act::List(replies::listing(self.messages()), lines)
    }

    fn messages(&self) -> u32 {
        self.listing.messages() - self.marks.messages()
    }

    fn octets(&self) -> u64 {
        self.listing.total_octets().saturating_sub(self.marks.octets())
    }
}
