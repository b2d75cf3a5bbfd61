//! Logins of SMTP and POP3: one exchange after the other, the throttle in front, the directory behind.
//!
//! Each attempt has its places at address and account before anything is looked at (see `state::Attempt`); one that ends
//! early counts as wrong. The client learns one thing only, that it failed; the log says why. Guesses are told apart by a keyed hash, so that the
//! same wrong password counts once (and is stored nowhere).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use directory::{AuthOutcome, Client, Device, Identity, KnownLogin, RecipientScope, SecretUse, SecretsOutcome};
use guard::{ExplainId, Fact, Fault};
use sasl::{Context, Exchange, Mechanism, Step, guess_hash};
use state::{Admission, AuthGate, Counted, Offence, StateError, TriedLogin, Whence};
use tracing::{debug, info, warn};

use super::denial::{Denial, is_no_guess, shown};
use super::failed::{Failed, THROTTLED, Tried};
use super::offence;
use super::session::SessionId;
use super::sources::Sources;
use config::Settings;

/// What an exchange came to, or what it wants next.
pub enum Outcome {
    /// Send this challenge.
    Challenge(Vec<u8>),
    /// The client is who it says; these octets are to be sent with the success.
    Proved(Proved, Option<Vec<u8>>),
    /// It is not. The id is that of log and record.
    Denied(Option<ExplainId>),
    /// What it sent does not have the form of its mechanism.
    Malformed,
    /// Too many failures lately; nothing was looked at.
    Throttled(Option<ExplainId>),
    /// The accounts cannot be asked now.
    Unavailable,
}

/// Who proved himself in this session.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The account's login, also when its device logged in.
    pub login: String,
    /// All that the directory says of it.
    pub identity: Identity,
}

/// An unknown address is one that no device's networks can hold.
fn known(ip: Option<IpAddr>) -> IpAddr {
    ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// What the directory says.
fn asked<T>(answer: Result<T, directory::DirectoryError>) -> Fact<T> {
    answer.map_or_else(
        |error| {
            warn!(%error, "login unchecked");
            Fact::Unknown(Fault::Unavailable("directory"))
        },
        Fact::Known,
    )
}

impl Proved {
    fn new(identity: Identity) -> Self {
        Self { login: identity.login.to_string(), identity }
    }

    /// A login that a mail server beside us has checked. It counts if it is one of ours that may log in now; of those that we
    /// do not know nothing is said.
    pub async fn told_by_mail_server(sources: &Sources, login: &str, ip: Option<IpAddr>) -> Fact<Option<Self>> {
        let ip = known(ip);
        asked(sources.directory.identity(login, ip).await).map(|found| match found {
            Ok(identity) => Some(Self::new(identity)),
            Err(why) => {
                debug!(client = %ip, login = ?login, %why, "login foreign");
                None
            }
        })
    }

    /// Whether he still may, and what: asked anew, since a right that was proved is not kept.
    pub async fn still(&self, sources: &Sources, ip: Option<IpAddr>) -> Fact<Result<Self, directory::Why>> {
        asked(sources.directory.still(&self.identity, known(ip)).await).map(|still| still.map(Self::new))
    }

    /// A device with bounds of its own: a POP grant is the account's, without them, and would widen what the device may do.
    pub fn is_bounded(&self) -> bool {
        let limits = self.identity.device.as_deref().map(|device| &device.limits);
        limits.is_some_and(|limits| limits.recipients != RecipientScope::Anywhere || limits.messages_per_hour.is_some())
    }

    /// Vouches for the login before the guard: it was proved in this very session, or another mail server says so.
    pub fn attest(&self) -> guard::Login {
        guard::Login::attest_authenticated(Arc::clone(&self.identity.login), self.bounds().map(Arc::new))
    }

    /// What the device may do by which he logged in.
    fn bounds(&self) -> Option<guard::Device> {
        let device = self.identity.device.as_deref()?;
        let scope = match device.limits.recipients {
            RecipientScope::OwnDomains => guard::RecipientScope::HostedOnly,
            RecipientScope::Anywhere => guard::RecipientScope::Anyone,
        };
        Some(guard::Device {
            name: device.name.clone(),
            login: device.login.clone(),
            reverse_path: None,
            scope,
            messages_per_hour: device.limits.messages_per_hour,
        })
    }
}

/// Where a login comes from, for throttle and log.
#[derive(Clone)]
pub struct Origin {
    /// Who is asked.
    pub sources: Arc<Sources>,
    /// The session.
    pub session: SessionId,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The client, which may be another by XCLIENT, or that of a mail server that tells us its address.
    pub ip: IpAddr,
}

/// A login that may be looked at now. Dropped, it counts as a wrong guess.
struct Attempt {
    /// `None`: guesses cannot be counted now.
    places: Option<state::Attempt>,
}

impl Attempt {
    /// It was right, or nothing was looked at.
    fn give_back(self) {
        if let Some(places) = self.places {
            places.give_back();
        }
    }

    /// How many guesses that is: none if it is the same one again.
    fn failed(self) -> u32 {
        let counted = self.places.map(state::Attempt::failed);
        u32::from(counted == Some(Counted::New))
    }

    /// For whom passwords are checked.
    fn client(&self, ip: IpAddr) -> Client {
        match self.places.as_ref().map(state::Attempt::whence) {
            Some(Whence::Owners) => Client::Known(ip),
            Some(Whence::Elsewhere) | None => Client::Other(ip),
        }
    }
}

impl Origin {
    /// The one form of a login, under which it counts.
    fn known(&self, login: &str) -> KnownLogin {
        self.sources.directory.tried_login(login)
    }

    fn guess(&self, login: &KnownLogin, guess: &[u8]) -> [u8; 16] {
        guess_hash(&self.sources.guess_key, login, guess)
    }

    /// Takes a place and waits as the throttle says; an error is what the login comes to: not now.
    async fn admitted(&self, tried: &Tried<'_>) -> Result<Attempt, Outcome> {
        let login = self.known(tried.login);
        let guess = self.guess(&login, tried.guess);
        match self.sources.state.attempt(&TriedLogin { addr: self.ip, login: &login, guess }).await {
            Ok(Admission::Admitted(places)) => {
                tokio::time::sleep(places.wait()).await;
                Ok(Attempt { places: Some(places) })
            }
            Ok(Admission::Locked(_)) => {
                let id = self.log(&Failed { way: THROTTLED, login: shown(tried.login), why: &"too many failures" });
                Err(Outcome::Throttled(id))
            }
            // Guesses are a suspicion: while they cannot be asked for they weigh nothing, and who logs in is served (law 2).
            Err(error) => {
                self.counted::<()>(Err(error));
                Ok(Attempt { places: None })
            }
        }
    }

    /// What could not be counted changes nothing of the login that it was about.
    fn counted<T>(&self, done: Result<T, StateError>) -> Option<T> {
        done.inspect_err(|error| warn!(session = %self.session, %error, "login uncounted")).ok()
    }

    async fn succeeded(&self, login: &str, device: Option<&Device>, way: &str) {
        self.counted(self.sources.state.auth_succeeded(self.ip, &self.known(login)).await);
        if let Some(device) = device {
            self.sources.directory.note_use(&device.login, self.ip);
        }
        self.log_succeeded(login, device, way);
    }

    fn log_succeeded(&self, login: &str, device: Option<&Device>, way: &str) {
        let (account, device) = (device.map(|device| &*device.account), device.map(|device| &*device.name));
        info!(session = %self.session, listener = &*self.listener, client = %self.ip, login = ?login, device, account, way, "login");
    }

    /// Whether another server, which looks at the password itself and tells us a hash of it, may look at it now.
    pub async fn admitted_elsewhere(&self, login: &str, guess: &[u8]) -> Result<AuthGate, StateError> {
        let login = self.known(login);
        let guess = self.guess(&login, guess);
        let gate = self.sources.state.expect_auth(&TriedLogin { addr: self.ip, login: &login, guess }).await;
        if matches!(gate, Ok(AuthGate::Locked(_))) {
            self.log(&Failed { way: THROTTLED, login: shown(&login), why: &"too many failures" });
        }
        gate
    }

    /// It may not log in at another server, whatever its password.
    pub fn barred_elsewhere(&self, login: &str, why: directory::Why) {
        self.log(&Failed { way: "barred", login, why: &why });
    }

    /// It was the right password there.
    pub async fn succeeded_elsewhere(&self, login: &str, guess: &[u8], way: &str) {
        let known = self.known(login);
        let guess = self.guess(&known, guess);
        self.counted(self.sources.state.auth_told_right(&TriedLogin { addr: self.ip, login: &known, guess }).await);
        self.log_succeeded(login, None, way);
    }

    /// It failed at another server, which tells us a hash of what was tried.
    pub async fn failed_elsewhere(&self, login: &str, guess: &[u8], way: &str) {
        self.failed(&Tried { login, guess, way }, &Denial::Elsewhere).await;
    }

    /// It failed without an [`Attempt`].
    async fn failed(&self, tried: &Tried<'_>, why: &Denial) -> Option<ExplainId> {
        let login = self.known(tried.login);
        let guess = self.guess(&login, tried.guess);
        let failed = self.sources.state.auth_failed(&TriedLogin { addr: self.ip, login: &login, guess }).await;
        self.guessed(u32::from(self.counted(failed) == Some(Counted::New))).await;
        self.log_failed(tried, why)
    }

    /// So many wrong guesses, which may bring a ban.
    async fn guessed(&self, guesses: u32) {
        offence::count(&self.sources, self.client(), Offence::FailedLogin, guesses).await;
    }

    fn log_failed(&self, tried: &Tried<'_>, why: &Denial) -> Option<ExplainId> {
        self.log(&Failed::of(tried, why))
    }

    fn log(&self, failed: &Failed<'_>) -> Option<ExplainId> {
        failed.tell(&self.sources.records, &self.client())
    }

    fn client(&self) -> offence::Client<'_> {
        offence::Client { session: self.session, listener: &self.listener, addr: self.ip }
    }

    /// A login by password, with throttle and log.
    pub async fn by_password(&self, login: &str, password: &[u8], way: &str) -> Outcome {
        let tried = Tried { login, guess: password, way };
        let attempt = match self.admitted(&tried).await {
            Ok(attempt) => attempt,
            Err(outcome) => return outcome,
        };
        match self.sources.directory.authenticate(login, password, attempt.client(self.ip)).await {
            Ok(AuthOutcome::Account(identity)) => {
                attempt.give_back();
                self.proved(identity, login, way).await
            }
            Ok(AuthOutcome::Denied(why)) => {
                self.guessed(attempt.failed()).await;
                Outcome::Denied(self.log_failed(&tried, &Denial::Directory(why)))
            }
            Err(error) => {
                attempt.give_back();
                self.unavailable(&error)
            }
        }
    }

    /// A login by APOP (RFC 1939 §7).
    pub async fn by_apop(&self, login: &str, banner: &str, digest: &[u8; 16]) -> Outcome {
        // Every digest differs, since the banner does: the login alone tells whether it is the same device again.
        let tried = Tried { login, guess: b"apop", way: "APOP" };
        let attempt = match self.admitted(&tried).await {
            Ok(attempt) => attempt,
            Err(outcome) => return outcome,
        };
        let found = self.sources.directory.secrets_for(login, SecretUse::Apop, self.ip).await;
        let (identity, secrets, why) = match found {
            Ok(SecretsOutcome::Found { identity, secrets }) => (Some(identity), secrets, None),
            Ok(SecretsOutcome::Denied(why)) => (None, Vec::new(), Some(why)),
            Err(error) => {
                attempt.give_back();
                return self.unavailable(&error);
            }
        };
        if let Some(identity) = identity.filter(|_| secrets.iter().any(|secret| fits_apop(secret, banner, digest))) {
            attempt.give_back();
            return self.proved(identity, login, "APOP").await;
        }
        if why.is_some_and(|why| is_no_guess(SecretUse::Apop, why)) {
            attempt.give_back();
        } else {
            self.guessed(attempt.failed()).await;
        }
        Outcome::Denied(self.log_failed(&tried, &Denial::Directory(why.unwrap_or(directory::Why::WrongPassword))))
    }

    /// The proof is right; it counts if it is still one, since checking it took its time, and a change may have come in between.
    async fn proved(&self, identity: Identity, login: &str, way: &str) -> Outcome {
        match self.sources.directory.still(&identity, self.ip).await {
            Ok(Ok(now)) => {
                self.succeeded(login, now.device.as_deref(), way).await;
                Outcome::Proved(Proved::new(now), None)
            }
            Ok(Err(why)) => Outcome::Denied(self.log(&Failed { way, login, why: &why })),
            Err(error) => self.unavailable(&error),
        }
    }

    fn unavailable(&self, error: &dyn std::error::Error) -> Outcome {
        warn!(session = %self.session, %error, "login unchecked");
        Outcome::Unavailable
    }
}

/// One SASL exchange.
pub struct Auth {
    exchange: Exchange,
    origin: Origin,
    identity: Option<Identity>,
    denied: Option<directory::Why>,
    login: String,
    /// From the moment on at which something is looked up until it is known what that comes to. An exchange that the client
    /// breaks off in between has shown him a salt, and counts as wrong.
    attempt: Option<Attempt>,
    /// This exchange's, and no other's.
    nonce: [u8; 24],
}

impl Auth {
    /// An exchange that has not begun. `binding`: the TLS channel's `tls-exporter` octets.
    pub fn new(
        settings: &Settings,
        origin: Origin,
        mechanism: Mechanism,
        binding: Option<[u8; 32]>,
    ) -> Result<Self, getrandom::Error> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce)?;
        let plus = Mechanism::ScramSha256Plus.name();
        let context = Context {
            hostname: settings.hostname.clone(),
            channel_binding: binding.map(|octets| octets.to_vec()),
            plus_offered: binding.is_some() && settings.auth.mechanisms.iter().any(|name| name == plus),
            nonce,
            unix_secs: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            decoy_key: origin.sources.decoy_key,
        };
        let exchange = Exchange::new(mechanism, context);
        Ok(Self { exchange, origin, identity: None, denied: None, login: String::new(), attempt: None, nonce })
    }

    /// Begins, with the initial response if there was one.
    pub async fn start(&mut self, initial: Option<&[u8]>) -> Outcome {
        let step = self.exchange.start(initial);
        self.follow(step).await
    }

    /// Goes on with the client's response.
    pub async fn respond(&mut self, response: &[u8]) -> Outcome {
        let step = self.exchange.respond(response);
        self.follow(step).await
    }

    async fn follow(&mut self, mut step: Step) -> Outcome {
        loop {
            step = match step {
                Step::Challenge(octets) => return Outcome::Challenge(octets),
                Step::NeedPassword { login, password, .. } => {
                    return self.origin.by_password(&login, password.expose(), self.exchange.mechanism().name()).await;
                }
                Step::NeedSecret { login, kind } => {
                    self.login = login;
                    self.attempt = match self.origin.admitted(&self.tried()).await {
                        Ok(attempt) => Some(attempt),
                        Err(outcome) => return outcome,
                    };
                    match self.look_up(kind.into()).await {
                        Ok(secrets) => self.exchange.secret(&self.origin.known(&self.login), secrets),
                        Err(error) => {
                            self.give_back();
                            return self.origin.unavailable(&error);
                        }
                    }
                }
                Step::Done { last, .. } => return self.done(last).await,
                Step::Failed(failure) => return self.failed(failure).await,
            };
        }
    }

    async fn look_up(
        &mut self,
        wanted: SecretUse,
    ) -> Result<Option<Vec<sasl::StoredSecret>>, directory::DirectoryError> {
        match self.origin.sources.directory.secrets_for(&self.login, wanted, self.origin.ip).await? {
            SecretsOutcome::Found { identity, secrets } => {
                self.identity = Some(identity);
                Ok(Some(secrets))
            }
            SecretsOutcome::Denied(why) => {
                self.denied = Some(why);
                if is_no_guess(wanted, why) {
                    self.give_back();
                }
                Ok(None)
            }
        }
    }

    async fn done(&mut self, last: Option<Vec<u8>>) -> Outcome {
        // Without an identity there was no secret, and an exchange without one never gets here.
        let Some(identity) = self.identity.take() else { return Outcome::Denied(None) };
        self.give_back();
        match self.origin.proved(identity, &self.login, self.exchange.mechanism().name()).await {
            Outcome::Proved(proved, _) => Outcome::Proved(proved, last),
            outcome => outcome,
        }
    }

    async fn failed(&mut self, failure: sasl::Failure) -> Outcome {
        let attempt = self.attempt.take();
        if failure.is_syntax() {
            let way = self.exchange.mechanism().name();
            self.origin.log(&Failed { way, login: shown(&self.login), why: &failure });
            match attempt {
                // What was asked for has been shown: it counts at the account, too.
                Some(attempt) => self.origin.guessed(attempt.failed()).await,
                None if self.was_no_guess() => {}
                None => {
                    self.origin.counted(self.origin.sources.state.auth_abused(self.origin.ip).await);
                }
            }
            return Outcome::Malformed;
        }
        let why = self.denied.map_or(Denial::Exchange(failure), Denial::Directory);
        let id = match attempt {
            None if !self.was_no_guess() => self.origin.failed(&self.tried(), &why).await,
            attempt => {
                if let Some(attempt) = attempt {
                    self.origin.guessed(attempt.failed()).await;
                }
                self.origin.log_failed(&self.tried(), &why)
            }
        };
        Outcome::Denied(id)
    }

    /// Its place was given back at the look-up.
    fn was_no_guess(&self) -> bool {
        let wanted = match self.exchange.mechanism() {
            Mechanism::CramMd5 => SecretUse::CramMd5,
            _ => SecretUse::ScramSha256,
        };
        self.denied.is_some_and(|why| is_no_guess(wanted, why))
    }

    fn give_back(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.give_back();
        }
    }

    /// A proof never shows whether it is the same guess as before. Behind SCRAM may be a password that somebody chose, so each
    /// counts; behind CRAM-MD5 is a device's long random secret, so that a forgotten device bans nobody.
    fn tried(&self) -> Tried<'_> {
        let way = self.exchange.mechanism().name();
        let guess = match self.exchange.mechanism() {
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => &self.nonce[..],
            _ => way.as_bytes(),
        };
        Tried { login: &self.login, guess, way }
    }
}

fn fits_apop(secret: &sasl::StoredSecret, banner: &str, digest: &[u8; 16]) -> bool {
    let hex = format!("{:032x}", u128::from_be_bytes(*digest));
    match secret {
        sasl::StoredSecret::Clear(secret) => sasl::apop::verify(banner, secret.expose(), hex.as_bytes()),
        sasl::StoredSecret::ScramSha256(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_shows_no_password_typed_as_login() {
        for login in ["alice@example.test", "alice-plc@example.test", "a.b+c_d@example.test"] {
            assert_eq!(shown(login), login);
        }
        let long = format!("{}@example.test", "a".repeat(60));
        for login in ["hunter2", "", "p@ss word", "p@ss!", "p\u{e4}ss@w", &long] {
            assert_eq!(shown(login), "?", "{login}");
        }
        assert!(!Denial::Directory(directory::Why::UnknownLogin).is_of_known_login());
        assert!(Denial::Directory(directory::Why::WrongPassword).is_of_known_login());
    }

    #[test]
    fn t52_names_without_a_device_secret_are_alike() {
        use directory::Why;
        for wanted in [SecretUse::CramMd5, SecretUse::Apop] {
            assert!(is_no_guess(wanted, Why::NoSecret) && is_no_guess(wanted, Why::UnknownLogin));
            assert!(!is_no_guess(wanted, Why::Locked) && !is_no_guess(wanted, Why::WrongPassword));
        }
        assert!(is_no_guess(SecretUse::ScramSha256, Why::NoSecret));
        assert!(!is_no_guess(SecretUse::ScramSha256, Why::UnknownLogin));
    }
}
