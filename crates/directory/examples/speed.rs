//! What the answers on the way of a mail cost: `cargo run --release -p directory --example speed`.

use std::future::Future;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use directory::{Directory, NewAccount, NewPassword, ServerKey, Settings};

const ACCOUNTS: u32 = 50_000;
const ROUNDS: u32 = 200_000;

async fn measure<F: Future>(what: &str, rounds: u32, mut ask: impl FnMut(u32) -> F) {
    let begun = Instant::now();
    for number in 0..rounds {
        std::hint::black_box(ask(number).await);
    }
    print(what, begun.elapsed(), rounds);
}

fn print(what: &str, taken: Duration, rounds: u32) {
    println!("{what:44} {:>10.3} us each, {rounds} times", taken.as_secs_f64() * 1e6 / f64::from(rounds));
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
    let begun = Instant::now();
    let path = dir.path().join("directory.sqlite");
    let key = ServerKey::from_bytes([7; 32]);
    let directory = Directory::open(&path, &key, settings.clone()).await?;
    print("open a new directory", begun.elapsed(), 1);
    directory.add_domain("example.test").await?;

    let hollow = |login: String| NewAccount { login, ..NewAccount::default() };
    let accounts = (0..ACCOUNTS).map(|number| hollow(format!("u{number}"))).collect();
    let begun = Instant::now();
    directory.import(accounts).await?;
    print("import an account", begun.elapsed(), ACCOUNTS);
    let password = NewPassword::Clear("secret".into());
    directory.create_account(NewAccount { password, ..hollow("alice".to_owned()) }).await?;

    let known: Vec<String> = (0..ACCOUNTS).map(|number| format!("u{number}")).collect();
    let name = |number: u32| known[(number % ACCOUNTS) as usize].as_str();
    let directory = &directory;
    measure("resolve, from the database", 20_000, |number| directory.resolve(name(number), "example.test", false))
        .await;
    measure("resolve one address, from memory", ROUNDS, |_| directory.resolve("u1", "example.test", false)).await;
    measure("resolve 20,000 addresses, from memory", ROUNDS, |number| {
        directory.resolve(name(number % 20_000), "example.test", false)
    })
    .await;
    measure("resolve in a foreign domain", ROUNDS, |_| directory.resolve("u1", "else.test", false)).await;
    measure("owners, from memory", ROUNDS, |_| directory.owners("u1", "example.test", false)).await;
    let client = IpAddr::from([192, 0, 2, 1]);
    measure("log in with a wrong password, first time", 8, |number| async move {
        directory.authenticate("alice", format!("wrong {number}").as_bytes(), client).await
    })
    .await;
    measure("log in as nobody, first time", 8, |number| async move {
        directory.authenticate("nobody", format!("wrong {number}").as_bytes(), client).await
    })
    .await;
    measure("log in, remembered", ROUNDS, |_| directory.authenticate("alice", b"secret", client)).await;
    directory.close().await;
    let begun = Instant::now();
    let directory = Directory::open(&path, &key, settings).await?;
    print("open it again", begun.elapsed(), 1);
    directory.close().await;
    Ok(())
}
