//! Load for mail servers on loopback, and the servers to compare them with. Driven by `run.py`; see `scripts/bench`.
//!
//! `load smtp|refuse|pop3|policy|drac|idle …` counts only the sessions that got the right replies, and prints one line of JSON.
//! `dns` is a name server that knows the load's clients. `null …` answers and does nothing: what it reaches is the limit of the load generator and the kernel. `sink …` likewise
//! takes all mail, and tells how much came, and when.
//!
//! One thread each: with two cores, one is left to the server under test.

mod args;
mod clients;
mod dns;
mod drac;
mod idle;
mod load;
mod policy;
mod pop3;
mod server;
mod smtp;
mod wire;

use std::process::ExitCode;

use args::Args;

const USAGE: &str = "usage: sekisho-bench load smtp   --server ADDR --connections N (--seconds S | --total N) --to A[,B…]
                                     [--from A] [--per-session N] [--octets N] [--source ADDR] [--sources N]
                                     [--clients N] [--first-client N]             (told by PROXY headers)
       sekisho-bench load refuse --server ADDR --connections N (--seconds S | --total N) --to A [--from A] [--source…]
       sekisho-bench load pop3   --server ADDR --connections N (--seconds S | --total N) --login USER:PASS[,…] [--retr N]
       sekisho-bench load idle   --server ADDR --connections N [--per-source N]     (holds until standard input ends)
       sekisho-bench load policy --server ADDR --connections N (--seconds S | --total N) --from A --to B [--per-session N]
                                     [--expect ANSWER] [--named N] [--nameless N] [--first-nameless N]
       sekisho-bench load drac   --server ADDR --seconds S [--in-flight N] [--addresses N] [--first ADDR] [--source ADDR] [--total N]
       sekisho-bench dns --at ADDR [--ttl SECONDS]
       sekisho-bench null --smtp ADDR --pop3 ADDR --policy ADDR --drac ADDR --domain D
       sekisho-bench sink --smtp ADDR --count ADDR";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[String]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    runtime.block_on(async {
        match words.as_slice() {
            ["load", "smtp", rest @ ..] => {
                load::run(smtp::Accept::new(&Args::parse(rest)?)?, &Args::parse(rest)?).await
            }
            ["load", "refuse", rest @ ..] => {
                load::run(smtp::Refuse::new(&Args::parse(rest)?)?, &Args::parse(rest)?).await
            }
            ["load", "pop3", rest @ ..] => load::run(pop3::Fetch::new(&Args::parse(rest)?)?, &Args::parse(rest)?).await,
            ["load", "policy", rest @ ..] => {
                load::run(policy::Ask::new(&Args::parse(rest)?)?, &Args::parse(rest)?).await
            }
            ["load", "drac", rest @ ..] => drac::load(&Args::parse(rest)?).await,
            ["load", "idle", rest @ ..] => idle::run(&Args::parse(rest)?).await,
            ["dns", rest @ ..] => dns::serve(&Args::parse(rest)?).await,
            ["null", rest @ ..] => server::null(&Args::parse(rest)?).await,
            ["sink", rest @ ..] => server::sink(&Args::parse(rest)?).await,
            _ => Err("what shall be done?".into()),
        }
    })
}
