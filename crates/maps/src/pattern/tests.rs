use super::*;
use crate::mistake::Mistake;

fn parse(dialect: Dialect, text: &str) -> Result<RuleTable, Vec<Mistake>> {
    let mut notes = Notes::new("t");
    let table = RuleTable::parse(dialect, text, &mut notes);
    notes.end().map(|_| table)
}

fn check(dialect: Dialect, cases: &[(&str, &str, Option<&str>)]) {
    for (text, key, expected) in cases {
        let table = parse(dialect, text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let got = table.get(key).map(|found| found.value.into_owned());
        assert_eq!(got.as_deref(), *expected, "{text} for {key}");
    }
}

#[test]
fn rules_of_both() {
    let text = "/^noddy@my\\.domain$/\n 550 two\n lines\nif !/^owner-/\n/^(.*)-outgoing@(.*)$/  550 Use ${1}@${2} instead\n\
                endif\n!/a/ none\n~x/y~i exact\n";
    for dialect in [Dialect::Pcre, Dialect::Posix] {
        let cases = [
            (text, "NODDY@my.domain", Some("550 two lines")),
            (text, "a-outgoing@b.example", Some("550 Use a@b.example instead")),
            (text, "owner-a-outgoing@b.example", None),
            (text, "bcd", Some("none")),
            (text, "ax/y", Some("exact")),
            (text, "aX/y", None),
            ("if /a/\nif /b/\n/c/ x\nendif\n/d/ y\nENDIF rest\n/./ $$z", "abc", Some("x")),
            ("if /a/\nif /b/\n/c/ x\nendif\n/d/ y\nENDIF rest\n/./ $$z", "ad", Some("y")),
            ("if /a/\nif /b/\n/c/ x\nendif\n/d/ y\nENDIF rest\n/./ $$z", "cd", Some("$z")),
            ("if /a/\n/b/ x", "ab", Some("x")),
            ("if /a/\n/b/ x", "b", None),
            ("/a(b)?c/ <$1>", "ac", Some("<>")),
            ("/a/", "a", Some("")),
            ("/^.$/ one\n/^..$/ two", "é", Some("two")),
            ("/É/ x\n/./ y", "é", Some("y")),
            ("/[é]$/ x", "é", Some("x")),
        ];
        check(dialect, &cases);
    }
}

#[test]
fn pcre_of_its_own() {
    check(
        Dialect::Pcre,
        &[
            ("/^(?!owner-)(.*)-outgoing@(.*)/ 550 Use ${1}@${2} instead", "x-outgoing@y", Some("550 Use x@y instead")),
            ("/^(friend@(?!my\\.domain$).*)$/  550 pipe $1", "friend@my.domain", None),
            ("/^(friend@(?!my\\.domain$).*)$/  550 pipe $1", "friend@a", Some("550 pipe friend@a")),
            ("/(a+?)(a*)/ $1-$2", "aaa", Some("a-aa")),
            ("/(a+)(a*)/U $1-$2", "aaa", Some("a-")),
            ("/b/A x", "ab", None),
            ("/a b # c/x x", "ab", Some("x")),
            ("/a b [ #]c/x x", "ab c", Some("x")),
            ("/(.)\\1/ $1", "abba", Some("b")),
            ("/\\x41\\101\\Qa.b\\E\\.$/i x", "AAa.b.", Some("x")),
            ("/^\\d+\\h\\w$/ x", "12 a", Some("x")),
            ("/^[[:digit:]\\-\\]^]+$/ x", "1-]^", Some("x")),
            ("/^[]a&&~-]+$/ x", "]a&~-", Some("x")),
            ("/a{,2}$/ x", "a{,2}", Some("x")),
            ("/^(?<n>a)\\k<n>(?:b|c)++$/ $1", "aabc", Some("a")),
            ("/^(a)?(?(1)b|c)$/ x", "c", Some("x")),
            ("/^\\<a>$/ x", "<a>", Some("x")),
            ("/\\xc3\\xa9/ x", "é", Some("x")),
        ],
    );
}

#[test]
fn posix_of_its_own() {
    check(
        Dialect::Posix,
        &[
            ("/(a|ab)(c|bcd)?/ $1-$2", "abcd", Some("a-bcd")),
            ("/x(a|ab)/ $1", "xab", Some("ab")),
            ("/a/!/b/ x", "ab", None),
            ("/a/!/b/ x", "ac", Some("x")),
            ("/a/!!/b/ x", "ab", Some("x")),
            ("/\\(a\\)b*+/x $1", "ab+", Some("a")),
            ("/^*a$/x x", "*a", Some("x")),
            ("/a$b^/x x", "a$b^", Some("x")),
            ("/^a*?$/ x", "aa", Some("x")),
            ("/^a{,2}$/ x", "aaa", None),
            ("/^(a*)+$/ x", "aa", Some("x")),
            ("/[\\d]/ x", "\\", Some("x")),
            ("/[\\d]/ x", "1", None),
            ("/^a)$/ x", "a)", Some("x")),
            ("/[[:alpha:]][[.-.]]/ x", "a-", Some("x")),
            ("/\\<ab\\>/ x", "x ab", Some("x")),
            ("/(.)\\1/ $1", "abba", Some("b")),
        ],
    );
}

#[test]
fn what_is_skipped_or_not_understood_refuses_the_file() {
    let cases = [
        (Dialect::Pcre, "/a x", "t:1:1: no closing /; close the pattern"),
        (Dialect::Pcre, "/a/q x", "t:1:4: no flag 'q'; flags are i m s x A E U X"),
        (Dialect::Posix, "/a/s x", "t:1:4: no flag 's'; flags are i m x"),
        (Dialect::Pcre, "a x", "t:1:1: no pattern; begin it with /, IF or ENDIF"),
        (Dialect::Pcre, "/a/ $1", "t:1:2: $1 where the pattern has 0 groups; count its brackets"),
        (Dialect::Pcre, "!/(a)/ $1", "t:1:3: a part of a key that does not match; leave the $ out, or write $$"),
        (Dialect::Pcre, "/a/\n  b $x", "t:2:5: $x has no number alone; write $1, ${1}, or $$ for a dollar sign"),
        (Dialect::Pcre, "/(?R)/ x", "t:1:2: this kind of group is not understood here; write it in another way"),
        (Dialect::Pcre, "/\\y/ x", "t:1:2: \\y is not understood here; write it in another way"),
        (Dialect::Pcre, "endif", "t:1:1: ENDIF without IF; remove it"),
        (Dialect::Posix, "/*a/ x", "t:1:2: nothing to repeat; escape it by \\"),
        (Dialect::Posix, "/p(/ x", "t:1:2: a parenthesis ( that is not closed; close it, or escape it by \\"),
        (Dialect::Posix, "/[a/ x", "t:1:2: a bracket [ that is not closed; close it, or escape it by \\"),
        (Dialect::Posix, "/[b-a]/ x", "t:1:3: a range that goes backwards; turn it round"),
        (Dialect::Posix, "/a{2/ x", "t:1:3: no numbers in braces; write as in {2,5}, or escape the brace by \\"),
        (Dialect::Posix, "  /a/ x", "t:1:1: a line that continues nothing; begin it without white space"),
        (Dialect::Posix, "if /a/\n!", "t:2:1: no pattern; write /pattern/ and a result"),
    ];
    for (dialect, text, message) in cases {
        let mistakes = parse(dialect, text).map(|_| text).unwrap_err();
        assert_eq!(mistakes[0].to_string(), message, "{text}");
    }
}

#[test]
fn a_laborious_pattern_is_given_up() {
    let table = parse(Dialect::Pcre, "/^(a|a)*(?!c)b$/ x\n!/^(a|a)*(?!c)b$/ y\n/./ rest").unwrap();
    let key = "a".repeat(200);
    assert_eq!(table.get(&key).unwrap().value, "rest");
}
