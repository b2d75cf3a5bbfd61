//! What is held against strangers, in the whole: a rule refuses, the log says how to exempt the host, and one command does.

use crate::support::Demo;

#[test]
fn an_unknown_host_is_exempted_by_the_command_that_the_log_names() {
    let demo = Demo::start_with(&[
        "listener.smtp.xclient_from=['127.0.0.1']",
        "guard.rule=[{ name = 'strict', when = ['helo-invalid'], action = 'refuse' }]",
    ]);
    let (sender, bob) = ("x@outside.example", "bob@example.test");
    let mut odd = demo.speaks_for("192.0.2.44", "localhost");
    let answer = odd.rcpt(sender, bob);
    assert!(answer.starts_with("550 5.7.1 <bob@example.test>: refused, your server greets with"), "{answer}");
    let line = demo.logged(&["refused", "client=192.0.2.44", "reason=helo-refused", "rules="]);
    assert!(line.contains("sekisho guard exempt 192.0.2.44") && line.contains("strict"), "{line}");
    demo.ruled(&["guard", "exempt", "192.0.2.44"]);
    assert!(odd.rcpt(sender, bob).starts_with("250"), "at once, in the session that is open");
    assert!(demo.ruled(&["guard", "list"]).contains("192.0.2.44"));
    let mut imitator = demo.speaks_for("192.0.2.45", "localhost");
    assert!(imitator.rcpt(sender, bob).starts_with("550"), "who only says the same is not exempted");
    assert!(odd.rcpt(sender, "x@elsewhere.example").starts_with("550 5.7.1"), "it is no right to relay");
    demo.ruled(&["guard", "unexempt", "192.0.2.44"]);
    assert!(odd.rcpt(sender, bob).starts_with("550"));
    // Greeting as us weighs, and what is only tried does nothing.
    let mut forger = demo.speaks_for("192.0.2.46", "mail.example.test");
    let _ = forger.rcpt(sender, bob);
    let defaults = demo.ruled(&["config", "defaults"]);
    assert!(defaults.contains("helo-ours: +8") && defaults.contains("refuse: refuse (observe)"), "{defaults}");
}
