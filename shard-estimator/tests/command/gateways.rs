//! What is said where several gateways share the stream.

use crate::{FLEET, answered, json_of, warned};

#[test]
fn each_of_several_gateways_is_told_what_machine_it_needs() {
    let outage = format!("{FLEET} --outage 1h");
    let answer = json_of(&format!("{outage} --gateways 4"));
    let (all, each) = (&answer["footprint"], &answer["footprint_each"]);
    let times = |what: &str| all[what].as_f64().unwrap() / each[what].as_f64().unwrap();
    for what in ["uplink_bits_per_s", "uplink_bits_per_s_catching_up", "disk_bytes"] {
        assert!((times(what) - 4.0).abs() < 1e-9, "{what}: {each}");
    }
    // Small batches cost more, and the program itself is there four times.
    assert!((1.5..4.0).contains(&times("cores")), "{each}");
    assert!((1.2..4.0).contains(&times("memory_bytes")), "{each}");
    let said = "Each of 4 gateways with an even part of it uses ";
    for format in ["table", "html"] {
        let text = answered(&format!("{outage} --gateways 4 --format {format}"));
        assert!(text.contains("A gateway for all of it uses ") && text.contains(said), "{text}");
        assert!(!answered(&format!("{outage} --format {format}")).contains("with an even part"));
    }
    assert!(json_of(&outage)["footprint_each"].is_null());
}

/// 2,000 devices, 20 with each of a hundred gateways: with 21 shards, which are enough for one gateway,
/// the fullest of all places that were drawn had 82 % in the median, where 80 are allowed.
#[test]
fn golden_places_are_promised_of_one_gateway_only() {
    let devices = "--devices 2000 --period 125ms --sizes 300:1";
    let of = |flags: &str| json_of(&format!("{devices} {flags}"))["plan"]["shards"].clone();
    let (golden, many) = ("--placement golden", "--gateways 100");
    assert_eq!(of(golden), 21);
    assert_eq!(of(&format!("{golden} --gateways 1")), 21);
    assert_eq!(of(&format!("{golden} {many}")), of("--placement md5"));
    warned(&format!("{devices} {golden} {many}"), &["100 gateways", "placement md5"]);
    for format in ["table", "html"] {
        let told = |gateways: &str| answered(&format!("{devices} {gateways} --format {format}"));
        assert!(
            told("").contains("olden-ratio") && !told(many).contains("olden-ratio"),
            "{format}"
        );
    }
    let settings =
        |gateways: &str| answered(&format!("{devices} {golden} {gateways} --format toml"));
    assert!(settings("").contains("partitioning = \"golden\""));
    let shared = settings(many);
    assert!(!shared.contains("partitioning =") && shared.contains("# Keys are hashed"), "{shared}");
}
