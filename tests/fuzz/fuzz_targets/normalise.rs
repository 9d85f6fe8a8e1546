//! Any payload becomes lines of valid JSON or a reject, under each of some configurations.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate::config::{FieldRule, Format, Kind, Mapping, Records, Unmapped};
use tidegate::normalise::Normaliser;

fn rule(pointer: &str, name: &str, kind: Kind, scale: f64) -> FieldRule {
    FieldRule {
        pointer: pointer.to_owned(),
        name: name.to_owned(),
        channel: Some(0),
        unit: None,
        scale,
        offset: 0.0,
        kind: Some(kind),
    }
}

static NORMALISERS: LazyLock<Vec<Normaliser>> = LazyLock::new(|| {
    let plain = Records {
        format: Format::Canonical,
        newline: true,
        topic_template: None,
        device_pointer: None,
        tenant_pointer: None,
        time_pointers: vec!["/ts".to_owned(), "/time".to_owned(), "/timestamp".to_owned()],
        sequence_pointer: Some("/seq".to_owned()),
        unmapped: Unmapped::Measure,
        mappings: Vec::new(),
    };
    let fields = vec![
        rule("/a", "alpha", Kind::Number, 0.1),
        rule("/b/a", "beta", Kind::Boolean, 1.0),
        rule("/b/0", "gamma", Kind::Text, 1.0),
    ];
    let mapped =
        Records { mappings: vec![Mapping { filter: "#".to_owned(), fields }], ..plain.clone() };
    let named = Records {
        device_pointer: Some("/b".to_owned()),
        tenant_pointer: Some("/c/a".to_owned()),
        time_pointers: vec!["/c/b".to_owned(), "/ts".to_owned()],
        ..plain.clone()
    };
    let shapes = [plain, mapped, named];
    let unmapped = [Unmapped::Measure, Unmapped::Keep, Unmapped::Drop];
    let all = shapes
        .iter()
        .flat_map(|shape| unmapped.map(|unmapped| Records { unmapped, ..shape.clone() }));
    all.map(|records| Normaliser::new(&records).expect("a good configuration")).collect()
});

fuzz_target!(|payload: &[u8]| {
    // A key that serde_json, our judge of what is valid, takes for a command of its own.
    if payload.windows(12).any(|part| part == b"$serde_json:") {
        return;
    }
    let payload = Bytes::copy_from_slice(payload);
    for normaliser in NORMALISERS.iter() {
        let Ok(records) = normaliser.normalise(b"sites/a", &payload, 1_763_692_404_456, 1) else {
            continue;
        };
        for record in records {
            let line = record.data.strip_suffix(b"\n").expect("a newline at the end");
            assert!(!line.contains(&b'\n'), "one line");
            let record: serde_json::Value = serde_json::from_slice(line).expect("valid JSON");
            assert!(record.is_object());
        }
    }
});
