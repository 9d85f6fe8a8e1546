use crate::record::DeviceId;

use super::*;

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
