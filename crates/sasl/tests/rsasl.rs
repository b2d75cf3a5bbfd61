//! Another implementation at the other end: rsasl, as client against our server and as server against our client.

#![expect(clippy::unwrap_used, reason = "a test; what fails here fails the test")]

use std::io::Cursor;

use rsasl::callback::{Context as RsaslContext, Request, SessionCallback, SessionData};
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::prelude::{Mechname, SASLClient, SASLConfig, SASLServer, SessionError, Validation};
use rsasl::property::{AuthId, Password};
use rsasl::validate::{Validate, ValidationError};
use sasl::client::{ChannelBinding, Credentials};
use sasl::scram::Keys;
use sasl::{Context, Exchange, Mechanism, PasswordVerdict, Step, StoredSecret, client};

const LOGIN: &str = "alice@example.test";
const PASSWORD: &str = "correct, horse = battery";

fn keys() -> Keys {
    Keys::derive(PASSWORD.as_bytes(), [4; 16], 4096).unwrap()
}

fn context() -> Context {
    Context {
        hostname: "mx.example.test".into(),
        channel_binding: None,
        plus_offered: false,
        nonce: *b"24 octets of randomness!",
        unix_secs: 0,
        decoy_key: [0; 32],
    }
}

/// rsasl's client against our server: whom we took it for.
fn their_client(mechanism: Mechanism, login: &str, password: &str) -> Option<String> {
    let config = SASLConfig::with_credentials(None, login.to_owned(), password.to_owned()).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    let mut session = SASLClient::new(config).start_suggested(&[name]).unwrap();
    let mut said = |input: Option<&[u8]>| {
        let mut out = Cursor::new(Vec::new());
        session.step(input, &mut out).ok().map(|_| out.into_inner())
    };
    let mut server = Exchange::new(mechanism, context());
    let initial = if mechanism == Mechanism::Login { None } else { Some(said(None)?) };
    let mut step = server.start(initial.as_deref());
    loop {
        step = match step {
            Step::Challenge(challenge) => server.respond(&said(Some(&challenge))?),
            Step::NeedPassword { login, password, .. } => {
                let right = login == LOGIN && password.expose() == PASSWORD.as_bytes();
                server.password_checked(if right { PasswordVerdict::Right } else { PasswordVerdict::Wrong })
            }
            Step::NeedSecret { login, .. } => {
                server.secret(&login, (login == LOGIN).then(|| vec![StoredSecret::ScramSha256(keys())]))
            }
            Step::Done { login, last } => {
                // A wrong signature of ours would be an error of theirs.
                return last.is_none_or(|last| said(Some(&last)).is_some()).then_some(login);
            }
            Step::Failed(_) => return None,
        }
    }
}

#[test]
fn their_client_logs_in_with_the_right_password_only() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login] {
        assert_eq!(their_client(mechanism, LOGIN, PASSWORD).as_deref(), Some(LOGIN), "{mechanism}");
        assert_eq!(their_client(mechanism, LOGIN, "wrong"), None, "{mechanism}");
        assert_eq!(their_client(mechanism, "bob@example.test", PASSWORD), None, "{mechanism}");
    }
}

/// What their server found out.
struct Verdict;
impl Validation for Verdict {
    type Value = bool;
}

/// Their server's directory.
struct Accounts;
impl SessionCallback for Accounts {
    fn callback(
        &self,
        _: &SessionData,
        context: &RsaslContext<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if context.get_ref::<AuthId>() == Some(LOGIN) {
            let stored = keys().to_stored();
            let fields: Vec<&str> = stored.split(',').collect();
            let decode = |text: &str| base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).unwrap();
            let (salt, stored_key, server_key) = (decode(fields[1]), decode(fields[2]), decode(fields[3]));
            request.satisfy::<ScramStoredPassword<'_>>(&ScramStoredPassword::new(
                4096,
                &salt,
                &stored_key,
                &server_key,
            ))?;
        }
        Ok(())
    }

    fn validate(
        &self,
        session: &SessionData,
        context: &RsaslContext<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        validate.with::<Verdict, _>(|| {
            let known = context.get_ref::<AuthId>() == Some(LOGIN);
            let scram = session.mechanism().mechanism.as_str().starts_with("SCRAM");
            Ok(known && (scram || context.get_ref::<Password>() == Some(PASSWORD.as_bytes())))
        })?;
        Ok(())
    }
}

/// Our client against rsasl's server: whether it was let in, and believed it.
fn their_server(mechanism: Mechanism, login: &str, password: &str) -> bool {
    let config = SASLConfig::builder().with_defaults().with_callback(Accounts).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    let mut session = SASLServer::<Verdict>::new(config).start_suggested(name).unwrap();
    let credentials = Credentials::new(login, password.as_bytes()).unwrap();
    let mut ours = client::Exchange::new(mechanism, credentials, ChannelBinding::Unsupported, [6; 24]);
    let mut said = ours.initial().unwrap();
    loop {
        let mut out = Cursor::new(Vec::new());
        let Ok(state) = session.step(said.as_deref(), &mut out) else { return false };
        if state.is_finished() {
            let last = state.has_sent_message().then(|| out.into_inner());
            return ours.succeeded(last.as_deref()).is_ok() && session.validation() == Some(true);
        }
        let Ok(answer) = ours.respond(out.get_ref()) else { return false };
        said = Some(answer);
    }
}

#[test]
fn our_client_is_let_in_with_the_right_password_only() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login] {
        assert!(their_server(mechanism, LOGIN, PASSWORD), "{mechanism}");
        assert!(!their_server(mechanism, LOGIN, "wrong"), "{mechanism}");
        assert!(!their_server(mechanism, "bob@example.test", PASSWORD), "{mechanism}");
    }
}
