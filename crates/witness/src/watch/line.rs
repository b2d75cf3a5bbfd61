//! Lines of other servers' logs that tell of a login by POP3 or IMAP.
//!
//! Names and host names in a log are what strangers chose. So a line is read from its beginning, which no stranger writes, to its
//! end, and every part must be what it should be; a line that could be read in two ways tells of nothing.

use std::net::IpAddr;

use config::WatchFormat;

/// Longest line that tells of anything, in octets. Logging cuts lines off, at 1,024 octets at the shortest (RFC 3164 §4.1): of a
/// longer one the end may be missing, and with it the address after one that stood in a name.
pub const LINE_OCTETS_MAX: usize = 768;
/// Longest login, in octets.
const USER_OCTETS_MAX: usize = 255;
/// As syslog writes them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A login that was told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The login in small letters, with or without a domain.
    pub user: String,
    /// From where.
    pub client: IpAddr,
}

/// The login that a line without its LF tells of; `None` for every other line.
pub fn read(format: WatchFormat, line: &[u8]) -> Option<Seen> {
    let line = str::from_utf8(line).ok().filter(|line| line.len() <= LINE_OCTETS_MAX)?;
    if line.chars().any(char::is_control) {
        return None;
    }
    let (program, message) = program(line)?;
    let (user, client) = match format {
        WatchFormat::Dovecot => dovecot(program, message),
        WatchFormat::Courier => courier(program, message),
        WatchFormat::Cyrus => cyrus(program, message),
    }?;
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._+-=@".contains(&octet);
    let fits = (1..=USER_OCTETS_MAX).contains(&user.len()) && user.bytes().all(plain);
    fits.then(|| Seen { user: user.to_ascii_lowercase(), client })
}

/// Who wrote the line, and what: `[TIME [HOST]] PROGRAM[[PID]]: MESSAGE`.
fn program(line: &str) -> Option<(&str, &str)> {
    let (rest, has_time) = after_time(line).map_or((line, false), |rest| (rest, true));
    let (head, message) = rest.split_once(": ")?;
    let program = match head.split_once(' ') {
        Some((_host, program)) if has_time => program,
        Some(_) => return None,
        None => head,
    };
    let (name, pid) = program.split_once('[').map_or((program, None), |(name, pid)| (name, Some(pid)));
    let pid_fits = pid.is_none_or(|pid| pid.strip_suffix(']').is_some_and(is_number));
    let name_fits = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_./".contains(&octet));
    (pid_fits && name_fits).then_some((name, message))
}

/// What stands behind `Nov  2 03:04:05`, `2026-11-02T03:04:05.678+09:00` or `2026-11-02 03:04:05`.
fn after_time(line: &str) -> Option<&str> {
    let (first, rest) = line.split_once(' ')?;
    if MONTHS.contains(&first) {
        let (day, rest) = rest.trim_start_matches(' ').split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        return (is_number(day) && is_time(time)).then_some(rest);
    }
    let (day, time) = first.split_once('T').map_or((first, None), |(day, time)| (day, Some(time)));
    if day.len() != 10 || !day.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-') {
        return None;
    }
    let (time, rest) = match time {
        Some(time) => (time, rest),
        None => rest.split_once(' ')?,
    };
    is_time(time).then_some(rest)
}

fn is_time(text: &str) -> bool {
    text.contains(':') && text.bytes().all(|octet| octet.is_ascii_digit() || b":.,+-Z".contains(&octet))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(guard::canonical_ip)
}

/// `pop3-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=…`; since 2.4 `Logged in: `. In its own log file without
/// `dovecot: ` before it, and with `Info: ` within.
fn dovecot<'l>(program: &str, message: &'l str) -> Option<(&'l str, IpAddr)> {
    let (process, message) = if program == "dovecot" { message.split_once(": ")? } else { (program, message) };
    if !matches!(process, "pop3-login" | "imap-login") {
        return None;
    }
    let message = message.strip_prefix("Info: ").unwrap_or(message);
    let told = message.strip_prefix("Login: ").or_else(|| message.strip_prefix("Logged in: "))?;
    let (user, elements) = told.strip_prefix("user=<")?.split_once(">, ")?;
    // A second one stands in a name.
    let mut addresses = elements.split(", ").filter_map(|element| element.strip_prefix("rip="));
    match (addresses.next(), addresses.next()) {
        (Some(rip), None) if !elements.contains("user=<") => Some((user, address(rip)?)),
        _ => None,
    }
}

/// `pop3d: LOGIN, user=alice, ip=[::ffff:192.0.2.7], port=[51234]`, for IMAP with `, protocol=IMAP` behind.
fn courier<'l>(program: &str, message: &'l str) -> Option<(&'l str, IpAddr)> {
    let program = program.strip_prefix("courier-").unwrap_or(program);
    if !matches!(program.strip_suffix("-ssl").unwrap_or(program), "pop3d" | "imapd" | "pop3login" | "imaplogin") {
        return None;
    }
    let (user, rest) = message.strip_prefix("LOGIN, user=")?.split_once(", ip=[")?;
    let (ip, mut rest) = rest.split_once(']')?;
    if let Some((port, behind)) = rest.strip_prefix(", port=[").and_then(|port| port.split_once(']')) {
        rest = if is_number(port) { behind } else { return None };
    }
    let is_whole = matches!(rest, "" | ", protocol=IMAP" | ", protocol=POP3");
    if is_whole { Some((user, address(ip)?)) } else { None }
}

/// `pop3[123]: login: host.example [192.0.2.7] alice plaintext+TLS User logged in SESSIONID=<…>`. The host's name, which is the
/// client's own choice, may be missing.
fn cyrus<'l>(program: &str, message: &'l str) -> Option<(&'l str, IpAddr)> {
    let service = program.strip_prefix("cyrus/").unwrap_or(program);
    if service.contains('/') || !(service.starts_with("pop3") || service.starts_with("imap")) {
        return None;
    }
    let mut words = message.strip_prefix("login: ")?.split(' ');
    let (mut host, mut place) = ("", words.next()?);
    if !place.starts_with('[') {
        (host, place) = (place, words.next()?);
    }
    let (user, way) = (words.next()?, words.next()?);
    let is_success = [words.next()?, words.next()?, words.next()?] == ["User", "logged", "in"];
    let session_fits = words.next().is_none_or(|word| word.starts_with("SESSIONID=<"));
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_+".contains(&octet);
    let fits = is_success && session_fits && words.next().is_none() && host.bytes().chain(way.bytes()).all(plain);
    let ip = place.strip_prefix('[')?.strip_suffix(']')?;
    if fits { Some((user, address(ip)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WatchFormat::{Courier, Cyrus, Dovecot};
    use proptest::prelude::*;

    fn told(format: WatchFormat, line: &str) -> Option<(String, String)> {
        read(format, line.as_bytes()).map(|seen| (seen.user, seen.client.to_string()))
    }

    #[test]
    fn logins() {
        let rest = "method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, mpid=99, TLS, session=<+c2Xu>";
        let six = "method=PLAIN, rip=2001:db8::7, lip=::1";
        let table = [
            (Dovecot, format!("Nov  2 03:04:05 mx dovecot: pop3-login: Login: user=<alice>, {rest}")),
            (Dovecot, format!("Nov 22 03:04:05 mx dovecot[77]: imap-login: Login: user=<Alice>, {rest}")),
            (Dovecot, format!("2026-11-22T03:04:05.678901+09:00 mx dovecot: pop3-login: Login: user=<alice>, {rest}")),
            (Dovecot, format!("2026-11-22T03:04:05Z mx dovecot: pop3-login: Logged in: user=<alice>, {rest}")),
            (Dovecot, format!("2026-11-22 03:04:05 pop3-login: Info: Login: user=<alice>, {rest}")),
            (Dovecot, format!("Nov 22 03:04:05 imap-login: Info: Logged in: user=<alice>, {rest}")),
            (Dovecot, format!("pop3-login: Login: user=<alice>, {rest}")),
            (Dovecot, format!("dovecot: pop3-login: Login: user=<alice>, {rest}")),
            (Courier, "Nov 22 03:04:05 mx pop3d: LOGIN, user=alice, ip=[::ffff:192.0.2.7], port=[51234]".to_owned()),
            (Courier, "pop3d-ssl: LOGIN, user=alice, ip=[::ffff:192.0.2.7]".to_owned()),
            (
                Courier,
                "Nov 22 03:04:05 mx courier-imapd[7]: LOGIN, user=alice, ip=[192.0.2.7], port=[5], protocol=IMAP"
                    .to_owned(),
            ),
            (Courier, "imapd: LOGIN, user=alice, ip=[::ffff:192.0.2.7], protocol=IMAP".to_owned()),
            (
                Cyrus,
                "Nov 22 03:04:05 mx cyrus/pop3[12]: login: h.example [192.0.2.7] alice plaintext User logged in"
                    .to_owned(),
            ),
            (Cyrus, "imaps[12]: login: [192.0.2.7] alice SCRAM-SHA-256+TLS User logged in SESSIONID=<a-1>".to_owned()),
        ];
        for (format, line) in table {
            assert_eq!(told(format, &line), Some(("alice".to_owned(), "192.0.2.7".to_owned())), "{line}");
        }
        let line = format!("pop3-login: Login: user=<alice@example.test>, {six}");
        assert_eq!(told(Dovecot, &line), Some(("alice@example.test".to_owned(), "2001:db8::7".to_owned())));
    }

    #[test]
    fn what_tells_of_no_login() {
        let forged = "pop3-login: Login: user=<alice>, method=PLAIN, rip=203.0.113.9, lip=::1";
        let table = [
            (Dovecot, format!("Nov 22 03:04:05 mx dovecot: auth: passwd-file({forged}): unknown user")),
            (Dovecot, format!("Nov 22 03:04:05 mx dovecot: auth: Info: {forged}")),
            (Dovecot, format!("Nov 22 03:04:05 mx dovecot: pop3-login: Disconnected: user=<{forged}>, rip=192.0.2.7")),
            (Dovecot, format!("Nov 22 03:04:05 mx postfix/smtpd[1]: warning: {forged}")),
            (Dovecot, format!("Nov 22 03:04:05 mx sekisho: {forged}")),
            (Dovecot, format!("some words {forged}")),
            (Dovecot, format!("{forged}\u{1b}[0m")),
            (Dovecot, "pop3-login: Login: user=<>, method=PLAIN, rip=192.0.2.7".to_owned()),
            (Dovecot, "pop3-login: Login: user=<alice*master>, method=PLAIN, rip=192.0.2.7".to_owned()),
            (Dovecot, "pop3-login: Login: user=<alice>, method=PLAIN, lip=192.0.2.7".to_owned()),
            (Dovecot, "pop3-login: Login: user=<alice>, rip=here".to_owned()),
            (Dovecot, "pop3-login: Login: user=<alice>, rip=203.0.113.9, x=<>, rip=192.0.2.7".to_owned()),
            (Dovecot, "managesieve-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7".to_owned()),
            (Dovecot, "pop3-login: Aborted login: user=<alice>, method=PLAIN, rip=192.0.2.7".to_owned()),
            (Dovecot, format!("pop3-login: Login: user=<alice>, rip=203.0.113.9, session=<{}", "x".repeat(760))),
            (Courier, "pop3d: LOGIN FAILED, user=alice, ip=[::ffff:192.0.2.7]".to_owned()),
            (Courier, "pop3d: LOGOUT, user=alice, ip=[::ffff:192.0.2.7], port=[5]".to_owned()),
            (Courier, "pop3d: LOGIN, user=alice, ip=[203.0.113.9], port=[1], ip=[192.0.2.7], port=[5]".to_owned()),
            (Courier, "esmtpd: LOGIN, user=alice, ip=[192.0.2.7]".to_owned()),
            (Courier, "pop3d: LOGIN, user=alice, ip=[192.0.2.7], port=[x]".to_owned()),
            (Cyrus, "pop3[1]: badlogin: h.example [192.0.2.7] plaintext alice SASL(-13)".to_owned()),
            (Cyrus, "pop3[1]: login: h [203.0.113.9] alice plaintext User logged in [192.0.2.7] b".to_owned()),
            (Cyrus, "pop3[1]: login: h [203.0.113.9] alice x [192.0.2.7] bob plaintext User logged in".to_owned()),
            (Cyrus, "pop3[x]: login: h [192.0.2.7] alice plaintext User logged in".to_owned()),
            (Cyrus, "lmtp[1]: login: h [192.0.2.7] alice plaintext User logged in".to_owned()),
            (Cyrus, "pop3[1]: login: h. [192.0.2.7] alice plaintext User logged out".to_owned()),
        ];
        for (format, line) in table {
            assert_eq!(told(format, &line), None, "{line}");
        }
        assert_eq!(read(Dovecot, b"pop3-login: Login: user=<\xff>, method=PLAIN, rip=192.0.2.7"), None);
    }

    /// Pieces of the formats, as somebody would put them who knows how his name is logged.
    fn name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(">, rip=203.0.113.9, x=<"),
            Just(">, "),
            Just("rip=203.0.113.9"),
            Just(", ip=[203.0.113.9]"),
            Just(", port=[1]"),
            Just(", protocol=IMAP"),
            Just(" [203.0.113.9] "),
            Just("[203.0.113.9]"),
            Just(" plaintext User logged in"),
            Just(" SESSIONID=<"),
            Just("pop3-login: Login: user=<"),
            Just("pop3d: LOGIN, user="),
            Just("pop3[1]: login: h "),
            Just("alice"),
            Just(", "),
            Just(" "),
            Just(": "),
            "\\PC{0,3}".prop_map(|text| -> &'static str { Box::leak(text.into_boxed_str()) }),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_name_forges_an_address(user in name(), host in name()) {
            let lines = [
                (Dovecot, format!("Nov 22 03:04:05 mx dovecot: pop3-login: Login: user=<{user}>, method=PLAIN, rip=192.0.2.7, lip=::1")),
                (Dovecot, format!("Nov 22 03:04:05 mx dovecot: auth: sql({user},192.0.2.7): {host}")),
                (Courier, format!("Nov 22 03:04:05 mx pop3d: LOGIN, user={user}, ip=[::ffff:192.0.2.7], port=[1]")),
                (Courier, format!("Nov 22 03:04:05 mx pop3d: LOGIN FAILED, user={user}, ip=[::ffff:192.0.2.7]")),
                (Cyrus, format!("Nov 22 03:04:05 mx pop3[1]: login: {host} [192.0.2.7] {user} plaintext User logged in")),
                (Cyrus, format!("Nov 22 03:04:05 mx pop3[1]: badlogin: {host} [192.0.2.7] plaintext {user} SASL(-13)")),
            ];
            for (format, line) in lines {
                let client = read(format, line.as_bytes()).map(|seen| seen.client.to_string());
                prop_assert!(client.as_deref().is_none_or(|client| client == "192.0.2.7"), "{:?}", line);
            }
        }

        #[test]
        fn any_line_is_borne(line: Vec<u8>) {
            for format in [Dovecot, Courier, Cyrus] {
                prop_assert_eq!(read(format, &line), None);
            }
        }
    }
}
