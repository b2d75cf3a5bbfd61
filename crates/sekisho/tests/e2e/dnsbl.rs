//! Lists in DNS as the operator sees them.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::Demo;

/// A list is tested at the start; one that fails is told in the log and in `sekisho dnsbl list`, under the name that hides its key.
#[test]
fn an_operator_sees_which_lists_count() {
    let (two, refused) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 255, 255, 254));
    let zone = [
        ("2.0.0.127.good.example.", Record::A(two)),
        ("2.0.0.127.key.example.", Record::A(refused)),
        ("1.0.0.127.key.example.", Record::A(refused)),
    ];
    let server = NameServer::start(&zone, Otherwise::Denies);
    let lists = "dnsbl=[{zone='good.example',weight=5,codes=['127.0.0.2']},\
        {zone='key.example',name='paid',weight=-3,codes=['127.0.0.2'],mode='observe'}]";
    let demo = Demo::start_with(&[&server.setting(), lists]);
    let line = demo.logged(&["dnsbl_unsound", "list=paid", "127.255.255.254"]);
    assert!(!line.contains("key.example"), "{line}");
    let good = |lists: &Value| lists[0]["standing"] == serde_json::json!(["sound", "absent"]);
    let lists = demo.until("the other list to be tested", || {
        let lists: Value = serde_json::from_str(&demo.ruled(&["dnsbl", "list", "--json"])).unwrap();
        good(&lists).then_some(lists)
    });
    assert_eq!((&lists[0]["name"], &lists[0]["counts"]), (&"good.example".into(), &true.into()));
    assert_eq!((&lists[1]["name"], &lists[1]["counts"]), (&"paid".into(), &false.into()));
    let table = demo.ruled(&["dnsbl", "list"]);
    assert!(table.contains("sound, IPv6 absent") && table.contains("observe"), "{table}");
}
