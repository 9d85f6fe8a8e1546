//! What one reading costs.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::config::{FieldRule, Format, Kind, Mapping, Records, Unmapped};
use tidegate::normalise::Normaliser;

const TOPIC: &[u8] = b"sites/north/devices/pump-17/telemetry";
const RX_TS_MS: i64 = 1_763_692_404_456;

/// Some 1 KB: 14 scalar leaves, one object, two arrays of numbers.
fn reading() -> Bytes {
    let vibration: Vec<String> =
        (0..64).map(|i| format!("{}.{:03}", i % 7, i * 13 % 1000)).collect();
    let current: Vec<String> =
        (0..48).map(|i| format!("{}.{:02}", 10 + i % 5, i * 7 % 100)).collect();
    format!(
        concat!(
            r#"{{"ts":1763692404123,"seq":4510,"temperature":21.40,"humidity":43.5,"pressure":1013.25,"#,
            r#""batteryVoltage":3.612,"co2":612,"flow_rate":12.75,"rpm":1480,"running":true,"#,
            r#""mode":"normal","firmware":"2.4.1","location":{{"lat":52.520008,"lon":13.404954}},"#,
            r#""vibration":[{}],"current":[{}],"alarm_count":0}}"#
        ),
        vibration.join(","),
        current.join(",")
    )
    .into()
}

fn records() -> Records {
    Records {
        format: Format::Canonical,
        newline: true,
        topic_template: None,
        device_pointer: None,
        tenant_pointer: None,
        time_pointers: ["/ts", "/time", "/timestamp"].map(str::to_owned).into(),
        sequence_pointer: None,
        unmapped: Unmapped::Measure,
        mappings: Vec::new(),
    }
}

fn mapped() -> Records {
    let rule = |pointer: &str, name: &str, unit: &str, scale: f64| FieldRule {
        pointer: pointer.to_owned(),
        name: name.to_owned(),
        channel: Some(0),
        unit: Some(unit.to_owned()),
        scale,
        offset: 0.0,
        kind: Some(Kind::Number),
    };
    let fields = vec![
        rule("/temperature", "temperature", "Cel", 1.0),
        rule("/humidity", "relative_humidity", "%RH", 1.0),
        rule("/co2", "co2", "ppm", 1.0),
        rule("/batteryVoltage", "voltage", "V", 0.001),
        rule("/location/lat", "latitude", "lat", 1.0),
        rule("/location/lon", "longitude", "lon", 1.0),
    ];
    let filter = "sites/+/devices/+/telemetry".to_owned();
    Records {
        topic_template: Some("sites/{tenant}/devices/{dev}/telemetry".to_owned()),
        sequence_pointer: Some("/seq".to_owned()),
        mappings: vec![Mapping { filter, fields }],
        ..records()
    }
}

fn normalise(criterion: &mut Criterion) {
    let payload = reading();
    let mut group = criterion.benchmark_group("normalise");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    let cases = [
        ("defaults", records()),
        ("mapped", mapped()),
        ("keep", Records { unmapped: Unmapped::Keep, ..records() }),
        ("raw", Records { format: Format::Raw, ..records() }),
    ];
    for (name, records) in cases {
        let normaliser = Normaliser::new(&records).expect("a good configuration");
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| normaliser.normalise(black_box(TOPIC), black_box(&payload), RX_TS_MS, 1));
        });
    }
    group.finish();
}

criterion_group!(benches, normalise);
criterion_main!(benches);
