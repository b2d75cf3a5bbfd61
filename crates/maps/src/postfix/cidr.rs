//! cidr_table(5): the first rule that matches counts. A trie says which rules' networks have an address in them, so that
//! of 100,000 rules only a handful is looked at.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use crate::found::Found;
use crate::lines::{Logical, LogicalLines, is_space, trim_end, trim_start};
use crate::mistake::{Notes, Position, Wrong, shown};

/// `if` may stand in `if` so often.
const NESTING_MAX: usize = 100;

/// No block around a rule.
const OUTSIDE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Pattern {
    net: IpNet,
    negated: bool,
}

impl Pattern {
    /// An address of the other family matches neither a network nor its negation.
    fn matches(self, addr: IpAddr) -> bool {
        match (self.net, addr) {
            (IpNet::V4(net), IpAddr::V4(addr)) => net.contains(&addr) != self.negated,
            (IpNet::V6(net), IpAddr::V6(addr)) => net.contains(&addr) != self.negated,
            _ => false,
        }
    }
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    block: u32,
    line: u32,
    value: Box<str>,
}

/// `if … endif`.
#[derive(Debug)]
struct Block {
    pattern: Pattern,
    /// The one around it.
    outer: u32,
}

/// A block whose end has not been read.
struct Open {
    block: u32,
    /// Where it begins.
    line: u32,
}

/// Rules in their order.
#[derive(Debug, Default)]
pub(crate) struct CidrTable {
    rules: Vec<Rule>,
    blocks: Vec<Block>,
    /// Numbers of the rules without `!`, by their networks, rising.
    v4: PrefixMap<Ipv4Net, Vec<u32>>,
    v6: PrefixMap<Ipv6Net, Vec<u32>>,
    /// Numbers of the rules with `!`, rising.
    negated: Vec<u32>,
}

impl CidrTable {
    /// What the rules say.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, u32)> {
        self.rules.iter().map(|rule| (&*rule.value, rule.line))
    }

    pub(crate) fn parse(text: &str, notes: &mut Notes) -> Self {
        let mut table = Self::default();
        let mut open = Vec::new();
        for logical in LogicalLines::new(text) {
            table.line(&logical, &mut open, notes);
        }
        for Open { line, .. } in open {
            notes.warn(line, || "IF without ENDIF: it goes on to the end of the file".to_owned());
        }
        table
    }

    fn line(&mut self, logical: &Logical<'_>, open: &mut Vec<Open>, notes: &mut Notes) {
        let text = trim_end(&logical.text);
        let block = open.last().map_or(OUTSIDE, |open| open.block);
        if let Some(rest) = keyword(text, "if") {
            let Some(pattern) = whole(rest, logical, notes) else { return };
            if open.len() == NESTING_MAX {
                let what = format!("more than {NESTING_MAX} IFs in each other");
                notes.mistake(Position::start_of(logical.line), what, "nest less");
                return;
            }
            open.push(Open { block: u32::try_from(self.blocks.len()).unwrap_or(OUTSIDE), line: logical.line });
            self.blocks.push(Block { pattern, outer: block });
        } else if let Some(rest) = keyword(text, "endif") {
            if !rest.is_empty() {
                notes.mistake(logical.position("endif".len()), "something behind ENDIF", "leave it alone on its line");
            } else if open.pop().is_none() {
                notes.mistake(Position::start_of(logical.line), "ENDIF without IF", "remove it");
            }
        } else if let Some((pattern, value)) = rule(text, logical, notes) {
            self.rule(Rule { pattern, block, line: logical.line, value: value.into() });
        }
    }

    fn rule(&mut self, rule: Rule) {
        let Ok(number) = u32::try_from(self.rules.len()) else { return };
        match rule.pattern {
            Pattern { negated: true, .. } => self.negated.push(number),
            Pattern { net: IpNet::V4(net), .. } => self.v4.entry(net).or_default().push(number),
            Pattern { net: IpNet::V6(net), .. } => self.v6.entry(net).or_default().push(number),
        }
        self.rules.push(rule);
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The first rule for an address in its usual form; anything else matches nothing.
    pub(crate) fn get(&self, key: &str) -> Option<Found<'_>> {
        let addr: IpAddr = key.parse().ok()?;
        let number = self.first(addr)?;
        let rule = &self.rules[number as usize];
        Some(Found::borrowed(&rule.value, rule.line))
    }

    fn first(&self, addr: IpAddr) -> Option<u32> {
        let positive = match addr {
            IpAddr::V4(addr) => self.first_of(self.v4.cover_values(&Ipv4Net::from(addr)), addr.into()),
            IpAddr::V6(addr) => self.first_of(self.v6.cover_values(&Ipv6Net::from(addr)), addr.into()),
        };
        let before = positive.unwrap_or(u32::MAX);
        let mut negated = self.negated.iter().take_while(|number| **number < before);
        let first = negated.find(|number| {
            let rule = &self.rules[**number as usize];
            rule.pattern.matches(addr) && self.is_open(rule.block, addr)
        });
        first.copied().or(positive)
    }

    /// The lowest of the numbers whose blocks are open to the address.
    fn first_of<'a>(&self, networks: impl Iterator<Item = &'a Vec<u32>>, addr: IpAddr) -> Option<u32> {
        networks
            .filter_map(|numbers| numbers.iter().find(|n| self.is_open(self.rules[**n as usize].block, addr)))
            .min()
            .copied()
    }

    fn is_open(&self, mut block: u32, addr: IpAddr) -> bool {
        while let Some(around) = self.blocks.get(block as usize) {
            if !around.pattern.matches(addr) {
                return false;
            }
            block = around.outer;
        }
        true
    }
}

/// What follows a word at the start of a line, if it is there and no letter or digit follows.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = !rest.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    (ends && head.eq_ignore_ascii_case(word)).then(|| trim_start(rest))
}

/// `[!]pattern value`.
fn rule<'a>(text: &'a str, logical: &Logical<'_>, notes: &mut Notes) -> Option<(Pattern, &'a str)> {
    let (negated, rest) = negation(text);
    let end = rest.bytes().position(is_space).unwrap_or(rest.len());
    let (address, value) = (&rest[..end], trim_start(&rest[end..]));
    let at = logical.position(text.len() - rest.len());
    if address.is_empty() {
        notes.mistake(
            Position::start_of(logical.line),
            "a line that continues nothing",
            "begin it without white space",
        );
        return None;
    }
    let net = network(address, at, notes)?;
    if value.is_empty() {
        notes.mistake(
            logical.position(text.len()),
            format!("{} has no result", shown(address)),
            "write NETWORK, space, RESULT",
        );
        return None;
    }
    Some((Pattern { net, negated }, value))
}

/// The pattern behind an IF, with nothing behind it.
fn whole(rest: &str, logical: &Logical<'_>, notes: &mut Notes) -> Option<Pattern> {
    let (negated, address) = negation(rest);
    let at = logical.position(trim_end(&logical.text).len() - address.len());
    if address.is_empty() {
        notes.mistake(at, "IF without a network", "write IF NETWORK");
        return None;
    }
    let net = network(address, at, notes)?;
    Some(Pattern { net, negated })
}

/// Any number of `!`, with white space between them.
fn negation(text: &str) -> (bool, &str) {
    let end = text.bytes().position(|b| b != b'!' && !is_space(b)).unwrap_or(text.len());
    if !text.starts_with('!') {
        return (false, text);
    }
    let marks = text[..end].bytes().filter(|b| *b == b'!').count();
    (marks % 2 == 1, &text[end..])
}

/// `addr`, `addr/len`, `[addr]`, `[addr]/len`, `[addr/len]`.
fn network(text: &str, at: Position, notes: &mut Notes) -> Option<IpNet> {
    match parse_network(text) {
        Ok(net) => Some(net),
        Err(Wrong { what, hint }) => {
            notes.mistake(at, what, hint);
            None
        }
    }
}

fn parse_network(text: &str) -> Result<IpNet, Wrong> {
    let usual = |what: String| Wrong::new(what, "write an address, or NETWORK/BITS");
    let bare: String = match text.strip_prefix('[') {
        None => text.to_owned(),
        Some(inner) => match inner.split_once(']') {
            Some((inner, "")) => inner.to_owned(),
            Some((inner, bits)) if bits.starts_with('/') && !inner.contains('/') => format!("{inner}{bits}"),
            Some(_) => return Err(usual(format!("garbage behind the bracket in {}", shown(text)))),
            None => {
                return Err(Wrong::new(format!("no closing bracket in {}", shown(text)), "close it, or leave both"));
            }
        },
    };
    let (addr, bits) = match bare.split_once('/') {
        Some((addr, bits)) => (addr, Some(bits)),
        None => (bare.as_str(), None),
    };
    let addr: IpAddr = addr.parse().map_err(|_| usual(format!("{} is no address", shown(addr))))?;
    let Some(bits) = bits else { return Ok(IpNet::from(addr)) };
    let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
    let parsed = digits.then(|| bits.trim_start_matches('0')).map(|b| if b.is_empty() { "0" } else { b });
    let net = parsed.and_then(|b| b.parse().ok()).and_then(|b| IpNet::new(addr, b).ok());
    let net = net.ok_or_else(|| usual(format!("{} is no length of a network", shown(bits))))?;
    if net.addr() != net.network() {
        let hint = format!("perhaps {} is meant", net.trunc());
        return Err(Wrong::new(format!("{} has host bits", shown(text)), hint));
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mistake::Mistake;

    fn parse(text: &str) -> Result<CidrTable, Vec<Mistake>> {
        let mut notes = Notes::new("t");
        let table = CidrTable::parse(text, &mut notes);
        notes.end().map(|_| table)
    }

    #[test]
    fn the_first_rule_counts() {
        let table = parse(
            "192.168.1.1 OK\n192.168.0.0/16 REJECT\n2001:db8::1 OK\n[2001:db8::]/32 REJECT no\n\
             if 10.0.0.0/8\n!10.1.0.0/16 other\nIF !10.1.2.0/24\n10.1.0.0/16 here\nEndif\n10.1.2.3/32 three\nendif\n\
             ! ! 11.0.0.0/8 twice\n0.0.0.0/0 rest\n",
        )
        .unwrap();
        let cases = [
            ("192.168.1.1", Some("OK")),
            ("192.168.1.2", Some("REJECT")),
            ("2001:db8::1", Some("OK")),
            ("2001:DB8:0::2", Some("REJECT no")),
            ("::1", None),
            ("10.2.0.1", Some("other")),
            ("10.1.1.1", Some("here")),
            ("10.1.2.3", Some("three")),
            ("10.1.2.4", Some("rest")),
            ("11.1.1.1", Some("twice")),
            ("::ffff:192.168.1.1", None),
            ("[192.168.1.1]", None),
            ("192.168.1", None),
            ("unknown", None),
        ];
        for (key, value) in cases {
            assert_eq!(table.get(key).as_ref().map(|found| &*found.value), value, "{key}");
        }
        assert_eq!(table.get("10.1.1.1").unwrap().line, 8);
    }

    #[test]
    fn what_postfix_skips_refuses_the_file() {
        let cases = [
            ("1.2.3.4\n", "t:1:8: \"1.2.3.4\" has no result; write NETWORK, space, RESULT"),
            ("1.2.3.4 a\n1.2.3.0/33 b", "t:2:1: \"33\" is no length of a network; write an address, or NETWORK/BITS"),
            ("! 1.2.3.1/24 b", "t:1:3: \"1.2.3.1/24\" has host bits; perhaps 1.2.3.0/24 is meant"),
            ("010.0.0.1 x", "t:1:1: \"010.0.0.1\" is no address; write an address, or NETWORK/BITS"),
            ("endif", "t:1:1: ENDIF without IF; remove it"),
            ("if 1.2.3.4\nendif x", "t:2:6: something behind ENDIF; leave it alone on its line"),
            ("if 1.2.3.4 x\n", "t:1:4: \"1.2.3.4 x\" is no address; write an address, or NETWORK/BITS"),
            ("if", "t:1:3: IF without a network; write IF NETWORK"),
            ("[1.2.3.4 x", "t:1:1: no closing bracket in \"[1.2.3.4\"; close it, or leave both"),
            ("  1.2.3.4 x", "t:1:1: a line that continues nothing; begin it without white space"),
        ];
        for (text, message) in cases {
            let mistakes = parse(text).unwrap_err();
            assert_eq!(mistakes[0].to_string(), message, "{text}");
        }
    }

    #[test]
    fn an_if_may_stay_open() {
        let mut notes = Notes::new("t");
        let table = CidrTable::parse("if 10.0.0.0/8\n10.1.0.0/16 a\n11.0.0.0/8 b", &mut notes);
        assert_eq!(table.get("10.1.0.1"), Some(Found::borrowed("a", 2)));
        assert_eq!(table.get("11.0.0.1"), None);
        assert_eq!(notes.end().unwrap()[0].line, 1);
    }

    proptest! {
        /// The trie and the list of negations give what going through all rules would.
        #[test]
        fn it_is_as_if_one_went_through(
            rules in prop::collection::vec((any::<bool>(), 0_u8..4, 0_u8..4, 0_u8..=16, 0_u8..6), 0..60),
            keys in prop::collection::vec((0_u8..4, 0_u8..4), 1..20),
        ) {
            let (mut table, mut open, mut depth) = (CidrTable::default(), vec![OUTSIDE], 0);
            for (line, (negated, a, b, bits, what)) in (1..).zip(rules) {
                let net = Ipv4Net::new([a << 6, b << 6, 0, 0].into(), bits).unwrap().trunc();
                let pattern = Pattern { net: net.into(), negated };
                let block = *open.last().unwrap();
                match what {
                    0 => {
                        open.push(u32::try_from(table.blocks.len()).unwrap());
                        table.blocks.push(Block { pattern, outer: block });
                        depth += 1;
                    }
                    1 if depth > 0 => {
                        open.pop();
                        depth -= 1;
                    }
                    _ => table.rule(Rule { pattern, block, line, value: "x".into() }),
                }
            }
            for (a, b) in keys {
                let addr: IpAddr = [a << 6, b << 6, 0, 1].into();
                let one = table.rules.iter().position(|r| r.pattern.matches(addr) && table.is_open(r.block, addr));
                prop_assert_eq!(table.first(addr).map(|n| n as usize), one);
            }
        }
    }
}
