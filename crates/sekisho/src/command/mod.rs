//! The commands: what is typed is taken apart in `args`, done by the file of its name, and ends in an exit code.

mod alarm;
pub mod args;
mod audit;
mod backup;
mod ban;
mod checkpassword;
mod choice;
mod client;
mod config;
pub mod connection;
mod dnsbl;
mod docs;
mod doctor;
mod drac;
mod dracd;
mod examples;
mod explain;
mod fault;
mod global;
mod grant;
mod guard;
mod import;
mod init;
mod key;
mod log;
mod map;
mod names;
mod own;
mod probe;
mod queue;
mod records;
mod relay;
mod replay;
mod report;
mod server;
mod session;
mod sheets;
mod status;
mod table;
mod top;
mod ucspi;
mod user;

pub use fault::{Exit, Fault};

use args::{Command, Sekisho};
use clap::{CommandFactory as _, FromArgMatches as _};
use global::Form;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = dracd::arguments(std::env::args_os());
    // Also where the rest of the line cannot be read.
    let form = if arguments.iter().any(|it| it == "--json") { Form::Json } else { Form::Text };
    match typed(arguments).map_err(|error| wrong_use(&error, form)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.tell(form),
    }
}

fn typed(arguments: Vec<OsString>) -> Result<Sekisho, clap::Error> {
    let mut command = examples::with_examples(Sekisho::command());
    let matches = command.try_get_matches_from_mut(arguments)?;
    Sekisho::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// What was asked for (help, version) ends here, and so does what is wrong, in clap's own words.
fn wrong_use(error: &clap::Error, form: Form) -> Fault {
    if form == Form::Text || !error.use_stderr() {
        error.exit();
    }
    let text = error.render().to_string();
    let text = text.trim_end().strip_prefix("error: ").unwrap_or(&text).to_owned();
    Fault::new(Exit::Usage, anyhow::anyhow!(text))
}

fn run(line: Sekisho) -> Result<(), Fault> {
    let global = &line.global;
    match line.command {
        Command::Demo(demo) => server::demo(demo, global),
        Command::Serve => server::serve(global),
        Command::Init(args) => init::run(&args, global),
        Command::Config(command) => config::run(&command, global),
        Command::Drac(command) => drac::run(&command),
        Command::Dracd(args) => dracd::run(&args),
        Command::Docs(command) => docs::run(&command),
        Command::Status => client::block_on(status::run(global)),
        Command::Top(args) => client::block_on(top::run(args, global)),
        Command::Alarm(command) => client::block_on(alarm::run(command, global)),
        Command::Reload(args) => client::block_on(server::reload(args, global)),
        Command::Key(command) => key::run(&command, global),
        Command::User(command) => client::block_on(user::run(command, global)),
        Command::Passwd(args) => own::passwd(&args.own, global),
        Command::Account(command) => own::account(&command, global),
        Command::Domain(command) => client::block_on(names::domain(command, global)),
        Command::Alias(command) => client::block_on(names::alias(command, global)),
        Command::Session(command) => client::block_on(session::run(command, global)),
        Command::Ban(command) => client::block_on(ban::run(command, global)),
        Command::Dnsbl(command) => client::block_on(dnsbl::run(command, global)),
        Command::Grant(command) => client::block_on(grant::run(command, global)),
        Command::Guard(command) => client::block_on(guard::run(command, global)),
        Command::Queue(command) => client::block_on(queue::run(command, global)),
        Command::Explain(args) => client::block_on(explain::run(args, global)),
        Command::Records(command) => client::block_on(records::run(command, global)),
        Command::Log(command) => client::block_on(log::run(command, global)),
        Command::Report(args) => client::block_on(report::run(&args, global)),
        Command::Backup(args) => backup::backup(&args, global),
        Command::Restore(args) => backup::restore(&args, global),
        Command::Replay(args) => client::block_on(replay::run(args, global)),
        Command::Probe(command) => client::block_on(probe::run(command, global)),
        Command::Relay(command) => client::block_on(relay::run(command, global)),
        Command::Map(command) => map::run(&command, global),
        Command::Audit(args) => client::block_on(audit::run(args, global)),
        Command::Doctor(args) => doctor::run(&args, global),
        Command::Import(args) => import::run(&args, global),
        Command::Ucspi(args) => ucspi::run(&args),
        Command::Checkpassword(args) => checkpassword::run(&args),
    }
}

#[cfg(test)]
mod tests;
