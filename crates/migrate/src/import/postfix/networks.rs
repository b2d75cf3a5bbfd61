//! `mynetworks`: who may relay by address.

use super::{Taking, main_cf::split_list};
use crate::import::draft::{Change, Each};
use crate::import::{Spot, read};
use ipnet::IpNet;
use std::{net::IpAddr, path::Path};

/// Files in files.
const DEPTH_MAX: u32 = 4;

/// What a list and its files came to so far, and how deep in files we are.
struct Patterns<'a> {
    found: &'a mut Vec<String>,
    depth: u32,
}

impl Taking<'_> {
    pub(super) fn networks(&mut self) {
        let style = self.take("mynetworks_style");
        let Some((at, list)) = self.take_list("mynetworks") else {
            if let Some((at, _)) = style {
                self.making.not_taken(&at, "mynetworks_style", "name the networks that may relay in relay.networks");
            }
            return;
        };
        if let Some((at, _)) = style {
            self.making.taken(&at, "mynetworks_style", "nothing: mynetworks is written, and it is not asked");
        }
        let mut found = Vec::new();
        self.patterns(&at, &list, &mut Patterns { found: &mut found, depth: 0 });
        let except: Vec<IpNet> = found.iter().filter_map(|text| net(text.strip_prefix('!')?)).collect();
        for text in found.iter().filter_map(|text| text.strip_prefix('!')) {
            let instead = "there are no exceptions; name the networks around it in relay.networks";
            self.making.not_taken(&at, &format!("mynetworks !{text}"), instead);
        }
        let touches =
            |text: &str| net(text).is_some_and(|it| except.iter().any(|no| it.contains(no) || no.contains(&it)));
        let (cut, whole): (Vec<_>, Vec<_>) =
            found.into_iter().filter(|text| !text.starts_with('!')).partition(|text| touches(text));
        for text in cut {
            self.making.not_taken(&at, &format!("mynetworks {text}"), "an exception lies in it; name its parts");
        }
        let plain: Vec<String> = whole.iter().map(|text| text.replace(['[', ']'], "")).collect();
        let put = |draft: &mut crate::import::draft::Draft, text: &str| draft.add("relay", "networks", text);
        self.making.offer_each(
            &at,
            Each { change: Change { what: "mynetworks", key: "relay.networks" }, texts: &plain },
            put,
        );
    }

    /// The patterns of a list, and of the files it names.
    fn patterns(&mut self, at: &Spot, list: &[String], patterns: &mut Patterns<'_>) {
        for word in list {
            if word.starts_with('/') && patterns.depth < DEPTH_MAX {
                match read::text(Path::new(word)) {
                    Ok(text) => {
                        let text: Vec<&str> =
                            text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
                        patterns.depth += 1;
                        self.patterns(at, &split_list(&text.join("\n")), patterns);
                        patterns.depth -= 1;
                    }
                    Err(error) => self.making.not_taken(at, &format!("mynetworks {word}"), &error.to_string()),
                }
            } else if word.contains(":/") && net(word).is_none() {
                let instead = "name its networks in relay.networks";
                self.making.not_taken(at, &format!("mynetworks {word}"), instead);
            } else {
                patterns.found.push(word.clone());
            }
        }
    }
}

fn net(text: &str) -> Option<IpNet> {
    let text = text.replace(['[', ']'], "");
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
