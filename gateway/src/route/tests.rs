use proptest::prelude::*;

use crate::config::{Config, Streams};
use crate::record::DeviceId;

use super::*;

fn record(tenant: Option<&str>) -> Record {
    let device = DeviceId::new("d").unwrap();
    Record { device, tenant: tenant.map(Into::into), data: Bytes::new() }
}

/// Streams with these routes, in this order.
fn streams(routes: &[String]) -> Streams {
    let rest = "mqtt = { url = 'mqtt://b', client_id = 'c', topics = ['#'] }\n\
                records.topic_template = '{tenant}/{type}/#'\n";
    let stream = |(place, route)| {
        format!("[[stream]]\nname = 's{place}'\nregion = 'eu-north-1'\nroute = {{ {route} }}\n")
    };
    let streams: String = routes.iter().enumerate().map(stream).collect();
    Config::parse(&format!("{rest}{streams}")).unwrap().streams
}

#[test]
fn a_stream_takes_what_all_is_true_of_that_its_route_says() {
    let routes = Routes::new(&streams(&[
        "topics = ['a/#', 'b/+'], tenants = ['x', 'y']".to_owned(),
        "types = ['alarm']".to_owned(),
        "topics = ['a/#']".to_owned(),
    ]));
    let of = |topic: &str, kind: &str, tenant| routes.of(&record(tenant), topic, kind);
    assert_eq!(of("a/1", "alarm", Some("x")), Some(0), "the first of those that would");
    assert_eq!(of("b/1", "telemetry", Some("y")), Some(0));
    assert_eq!(of("b/1/2", "alarm", Some("y")), Some(1));
    assert_eq!(of("a/1", "telemetry", Some("z")), Some(2));
    assert_eq!(of("a/1", "telemetry", None), Some(2), "no tenant is none of those");
    assert_eq!(of("b/1", "telemetry", None), None);
    assert!(routes.ask_for_types());
}

#[test]
fn without_a_route_a_stream_takes_everything() {
    let routes = Routes::new(&streams(&[String::new()]));
    assert_eq!(routes.of(&record(None), "any", "thing"), Some(0));
    assert!(!routes.ask_for_types());
}

/// One of these is said of each stream.
fn route()
-> impl Strategy<Value = (Option<&'static str>, Option<&'static str>, Option<&'static str>)> {
    let of = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words));
    (of(&["a/#", "b/+", "+/1"]), of(&["t", "u"]), of(&["x", "y"]))
}

proptest! {
    /// What a record would be taken by on its own tells which of several takes it.
    #[test]
    fn a_record_goes_to_the_first_stream_that_alone_would_take_it(
        routes in prop::collection::vec(route(), 1..5),
        topic in prop::sample::select(vec!["a/1", "a/2", "b/1", "c"]),
        kind in prop::sample::select(vec!["t", "u", "v"]),
        tenant in prop::option::of(prop::sample::select(vec!["x", "z"])),
    ) {
        let text = |(topic, kind, tenant): &(Option<&str>, Option<&str>, Option<&str>)| {
            let said = [("topics", topic), ("types", kind), ("tenants", tenant)];
            let said = said.iter().filter_map(|(key, one)| Some(format!("{key} = ['{}']", (**one)?)));
            said.collect::<Vec<_>>().join(", ")
        };
        let texts: Vec<_> = routes.iter().map(text).collect();
        // Streams that can never get anything are refused: each is tried alone as well.
        let alone: Vec<_> = texts.iter().map(|text| {
            Routes::new(&streams(std::slice::from_ref(text))).of(&record(tenant), topic, kind)
        }).collect();
        let first = alone.iter().position(Option::is_some);
        let all: Vec<_> = texts.iter().map(|text| streams(std::slice::from_ref(text))).collect();
        let mut all = all.into_iter().map(|one| one.first().clone());
        let together = Streams::new(all.next().unwrap(), all.collect());
        prop_assert_eq!(Routes::new(&together).of(&record(tenant), topic, kind), first);
    }
}

fn key(template: Option<&str>, tenant: Option<&str>, device: &str) -> String {
    let record = Record {
        device: DeviceId::new(device).unwrap(),
        tenant: tenant.map(Into::into),
        data: Bytes::new(),
    };
    Router::new(template).key(&record, "a/b").as_str().to_owned()
}

#[test]
fn by_default_the_key_is_tenant_and_device() {
    assert_eq!(key(None, Some("acme"), "pump-1"), "acme/pump-1");
    assert_eq!(key(None, None, "pump-1"), "pump-1");
}

#[test]
fn template_places_device_tenant_and_topic() {
    assert_eq!(key(Some("{tenant}:{dev}@{topic}"), Some("acme"), "p"), "acme:p@a/b");
    assert_eq!(key(Some("x-{dev}"), None, "p"), "x-p");
    assert_eq!(key(Some("{tenant}"), None, "p"), "-", "a key is never empty");
}

#[test]
fn long_key_is_shortened_and_stays_distinct() {
    let (long, longer) = ("ä".repeat(300), "ä".repeat(301));
    let (a, b) = (key(None, None, &long), key(None, None, &longer));
    assert_eq!((a.chars().count(), b.chars().count()), (256, 256));
    assert_ne!(a, b);
    let fits = "ä".repeat(256);
    assert_eq!(key(None, None, &fits), fits);
}
