use super::*;
use crate::address::{DomainError, Mailbox};
use crate::dsn::{Notify, Ret};
use crate::server::{BodyKind, MailParams, RcptParams, SubmittedBy};

fn parse(line: &str) -> Result<Command<'_>, CommandError<'_>> {
    Command::parse(line.as_bytes(), Syntax::Lenient.into())
}

fn mail_params(line: &str) -> MailParams {
    match parse(line) {
        Ok(Command::Mail(mail)) => mail.params,
        other => unreachable!("{line}: {other:?}"),
    }
}

fn rcpt_params(line: &str) -> RcptParams {
    match parse(line) {
        Ok(Command::Rcpt(rcpt, _)) => rcpt.params,
        other => unreachable!("{line}: {other:?}"),
    }
}

#[test]
fn commands_in_any_case_with_blanks_behind() {
    assert_eq!(parse("data"), Ok(Command::Data));
    assert_eq!(parse("DATA  "), Ok(Command::Data));
    assert_eq!(parse("rSeT"), Ok(Command::Rset));
    assert_eq!(parse("NOOP whatever"), Ok(Command::Noop));
    assert_eq!(parse("Quit"), Ok(Command::Quit));
    assert_eq!(parse("BDAT 10"), Ok(Command::Bdat { octets: 10, last: false }));
    assert_eq!(parse("bdat 0 last"), Ok(Command::Bdat { octets: 0, last: true }));
    assert_eq!(parse("AUTH PLAIN"), Ok(Command::Auth { mechanism: "PLAIN", initial: None }));
    assert_eq!(parse("AUTH PLAIN ="), Ok(Command::Auth { mechanism: "PLAIN", initial: Some("=") }));
    assert_eq!(parse("VRFY a"), Ok(Command::Vrfy("a")));
}

#[test]
fn lines_that_are_no_commands() {
    let table = [
        ("", CommandError::Unknown),
        ("HELLO a", CommandError::Unknown),
        ("VERYLONGVERB", CommandError::Unknown),
        ("GET / HTTP/1.1", CommandError::Unknown),
        ("SOML FROM:<a@b.example>", CommandError::NotImplemented),
        ("EHLO", CommandError::Helo),
        ("N\u{d6}OP", CommandError::Unknown),
        ("NOOP\0", CommandError::Characters),
        ("DATA now", CommandError::NoArguments),
        ("STARTTLS x", CommandError::NoArguments),
        ("VRFY", CommandError::ArgumentMissing),
        ("BDAT", CommandError::Bdat),
        ("BDAT -1", CommandError::Bdat),
        ("BDAT +1", CommandError::Bdat),
        ("BDAT 99999999999999999999", CommandError::Bdat),
        ("BDAT 1 LAST LAST", CommandError::Bdat),
        ("AUTH", CommandError::Auth),
        ("AUTH PLAIN a b", CommandError::Auth),
        ("AUTH PL?IN", CommandError::Auth),
        ("MAIL", CommandError::Mail),
        ("MAIL FROM", CommandError::Mail),
        ("MAIL TO:<a@b.example>", CommandError::Mail),
        ("MAIL FROM:", CommandError::Address(AddressError::Brackets)),
        ("MAIL FROM :<a@b.example>", CommandError::Mail),
        ("RCPT TO :<a@b.example>", CommandError::Rcpt),
        ("MAIL FROM:<a@b.example>SIZE=1", CommandError::Address(AddressError::Trailing)),
        ("RCPT TO:<a@1>", CommandError::Address(AddressError::Domain(DomainError::Number))),
        ("MAIL FROM:<a@b.example> X-A=1", CommandError::UnknownParameter("X-A")),
        ("RCPT TO:<a@b.example> SIZE=1", CommandError::UnknownParameter("SIZE")),
        ("MAIL FROM:<a@b.example> SIZE", CommandError::BadParameter("SIZE")),
        ("MAIL FROM:<a@b.example> SIZE=", CommandError::BadParameter("SIZE")),
        ("MAIL FROM:<a@b.example> SIZE=1 SIZE=1", CommandError::BadParameter("SIZE")),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", CommandError::BadParameter("BODY")),
        ("MAIL FROM:<a@b.example> SMTPUTF8=1", CommandError::BadParameter("SMTPUTF8")),
        ("MAIL FROM:<a@b.example> RET=SOME", CommandError::BadParameter("RET")),
        ("MAIL FROM:<a@b.example> ENVID=a+0Ab", CommandError::BadParameter("ENVID")),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", CommandError::BadParameter("NOTIFY")),
        ("RCPT TO:<a@b.example> NOTIFY=", CommandError::BadParameter("NOTIFY")),
        ("RCPT TO:<a@b.example> ORCPT=a@b.example", CommandError::BadParameter("ORCPT")),
        ("RCPT TO:<a@b.example> ORCPT=rfc822;a+0D+0Ab", CommandError::BadParameter("ORCPT")),
        ("MAIL FROM:<\u{9593}@b.example>", CommandError::NeedsSmtputf8),
        ("MAIL FROM:<a@b\u{fc}cher.example>", CommandError::NeedsSmtputf8),
        ("XCLIENT", CommandError::XClient),
        ("XCLIENT ADDR=1.2.3", CommandError::XClient),
        ("XCLIENT WHAT=1", CommandError::XClient),
    ];
    for (line, error) in table {
        assert_eq!(parse(line), Err(error), "{line}");
    }
    assert_eq!(Command::parse(b"MAIL FROM:<\xff@b.example>", Syntax::Lenient.into()), Err(CommandError::Characters));
}

#[test]
fn parameters() {
    let line = "MAIL FROM:<a@b.example> size=100 BODY=8bitmime SMTPUTF8 AUTH=c@d.example RET=HDRS ENVID=x+2By";
    let params = mail_params(line);
    assert_eq!((params.size, params.body, params.smtputf8), (Some(100), Some(BodyKind::EightBitMime), true));
    assert_eq!((params.ret, params.envid.as_deref()), (Some(Ret::Headers), Some("x+2By")));
    assert!(matches!(params.auth, Some(SubmittedBy::Mailbox(_))));
    assert_eq!(mail_params("MAIL FROM: <> AUTH=<>").auth, Some(SubmittedBy::Unknown));

    let params = rcpt_params("RCPT TO: <a@b.example> NOTIFY=SUCCESS,delay ORCPT=rfc822;a+2Bb@c.example");
    assert_eq!(params.notify, Notify::SUCCESS.with(Notify::DELAY));
    assert_eq!(params.notify.to_string(), "SUCCESS,DELAY");
    assert_eq!(params.orcpt.as_deref(), Some("rfc822;a+2Bb@c.example"));
    assert_eq!(rcpt_params("RCPT TO:<a@b.example> NOTIFY=NEVER").notify, Notify::NEVER);
    assert!(matches!(parse("RCPT TO:<\u{9593}@b.example>"), Ok(Command::Rcpt(_, Charset::Utf8))));
}

#[test]
fn xclient_values_are_xtext() {
    let line = "XCLIENT NAME=mail.example ADDR=IPV6:::ffff:192.0.2.1 HELO=a+2Db LOGIN=[UNAVAILABLE] PORT=25";
    let Ok(Command::XClient(facts)) = parse(line) else { unreachable!() };
    assert_eq!(facts.addr, Some("192.0.2.1".parse().unwrap()));
    assert_eq!((facts.name.as_deref(), facts.helo.as_deref()), (Some("mail.example"), Some("a-b")));
    assert!(!facts.had_login);
}

/// How it is written changes nothing of what is meant: one path, or the same as by the letter.
#[test]
fn paths_as_they_are_written() {
    let meant = |line: &'static str| parse(line).map_err(|error| error.reply());
    let rcpt = meant("RCPT TO:<a@b.example> NOTIFY=NEVER");
    for line in [
        "RCPT TO:a@b.example NOTIFY=NEVER",
        "rcpt to:a@b.example\tnotify=never",
        "RCPT  TO:  <a@b.example>  NOTIFY=NEVER ",
        "\tRCPT\tTO:\t<\ta@b.example\t>\tNOTIFY=NEVER\t",
    ] {
        assert_eq!(meant(line), rcpt, "{line:?}");
        assert!(Command::parse(line.as_bytes(), Syntax::Strict.into()).is_err(), "{line:?}");
    }
    for line in ["MAIL FROM:<>", "MAIL FROM: < >", "mail from:\t<\t>"] {
        assert!(matches!(parse(line), Ok(Command::Mail(mail)) if mail.reverse_path == ReversePath::Null), "{line:?}");
    }
}

#[test]
fn greetings_as_they_come() {
    let table: &[(&[u8], Option<&str>)] = &[
        (b"EHLO MFP 2F  OFFICE", Some("MFP 2F  OFFICE")),
        (b"ehlo\t client.example\t", Some("client.example")),
        ("EHLO 総務課-PC".as_bytes(), Some("=E7=B7=8F=E5=8B=99=E8=AA=B2-PC")),
        (b"HELO \x91\x8d-PC", Some("=91=8D-PC")),
        ("EHLO bücher.example".as_bytes(), Some("b=C3=BCcher.example")),
        (b"EHLO a\x1b[2Jb", Some("a=1B[2Jb")),
        (b"EHLO", None),
        (b"EHLO \t", None),
        (b"EHLO a\0", None),
    ];
    for (line, expected) in table {
        let host = match Command::parse(line, Syntax::Lenient.into()) {
            Ok(Command::Helo(helo)) => Some(helo.host.to_string()),
            _ => None,
        };
        assert_eq!(host.as_deref(), *expected, "{}", line.escape_ascii());
    }
}

proptest::proptest! {
    #[test]
    fn no_line_panics(line: Vec<u8>) {
        let _ = Command::parse(&line, Syntax::Strict.into()).map_err(|error| error.reply());
        let _ = Command::parse(&line, Syntax::Lenient.into()).map_err(|error| error.reply());
    }

    #[test]
    fn what_strict_takes_lenient_takes_as_the_same(line in "(MAIL FROM:|RCPT TO:|BDAT |EHLO )[<>\"@a:=; +.0-9]{0,20}") {
        if let Ok(command) = Command::parse(line.as_bytes(), Syntax::Strict.into()) {
            proptest::prop_assert_eq!(parse(&line), Ok(command));
        }
    }

    /// One mailbox, whatever stands around it.
    #[test]
    fn a_path_is_one_mailbox_or_none(path in "[<>\"@a-c:, \t.%!]{0,16}") {
        let line = format!("RCPT TO:{path}");
        if let Ok(Command::Rcpt(rcpt, _)) = parse(&line)
            && let Some(mailbox) = rcpt.forward_path.mailbox()
        {
            let printed = mailbox.to_string();
            let said = path.trim_matches(['<', '>', ' ', '\t']);
            let said = if rcpt.had_source_route { said.rsplit(':').next().unwrap_or_default() } else { said };
            let plain = Mailbox::parse(said).map(|mailbox| mailbox.to_string());
            // A colon in quotes is no route.
            proptest::prop_assert!(plain == Ok(printed) || path.contains('"'), "{:?}", plain);
        }
    }

    #[test]
    fn no_likely_line_panics(line in "(MAIL FROM:|RCPT TO:|XCLIENT |AUTH |BDAT )[<>\"@a:=; +.\u{fc}0-9\\[\\]]{0,40}") {
        let _ = parse(&line).map_err(|error| error.reply());
    }
}
