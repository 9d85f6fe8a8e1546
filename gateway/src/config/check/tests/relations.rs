//! Settings that must fit each other: two that were written and do not are a fault, one that we
//! guessed gives way.

use std::path::Path;
use std::time::Duration;

use super::{check, config, said, stream};
use crate::config::{Partitioning, Password, Qos, StreamTarget};

const MIB: usize = 1 << 20;

fn ms(first: u64, longest: u64) -> (Duration, Duration) {
    (Duration::from_millis(first), Duration::from_millis(longest))
}

#[test]
fn of_two_pauses_the_one_we_guessed_gives_way() {
    check(
        "stream.backoff_ms_min = 900\nstream.backoff_ms_max = 100",
        &["6: stream.backoff_ms_min = 900: must be at most backoff_ms_max"],
    );
    check(
        "mqtt.reconnect_ms_min = 900\nmqtt.reconnect_ms_max = 100",
        &["6: mqtt.reconnect_ms_min = 900: must be at most reconnect_ms_max"],
    );
    assert_eq!(stream("stream.backoff_ms_min = 9000").backoff, ms(9_000, 9_000));
    assert_eq!(stream("stream.backoff_ms_max = 20").backoff, ms(20, 20));
    assert_eq!(config("mqtt.reconnect_ms_max = 100").mqtt.reconnect, ms(100, 100));
    assert_eq!(config("mqtt.reconnect_ms_min = 100").mqtt.reconnect, ms(100, 30_000));
}

#[test]
fn one_wrong_value_is_one_fault_whatever_it_relates_to() {
    check(
        "stream.backoff_ms_min = 1\nstream.backoff_ms_max = 20",
        &["6: stream.backoff_ms_min = 1: must be 10 to 60000 milliseconds"],
    );
    check(
        "mqtt.url = 'b'\nmqtt.tls.ca_file = 'f'",
        &["6: mqtt.url = 'b': must be a URL such as scheme://host:port"],
    );
}

#[test]
fn what_only_mqtt_5_has_cannot_be_asked_of_version_3() {
    check(
        "mqtt.version = 3\nmqtt.session_expiry_s = 3600\nmqtt.receive_maximum = 10",
        &[
            "7: mqtt.session_expiry_s = 3600: exists in MQTT 5 only: leave it out, or say \
             version = 5",
            "8: mqtt.receive_maximum = 10: exists in MQTT 5 only: leave it out, or say version = 5",
        ],
    );
    config("mqtt.version = 3");
}

#[test]
fn points_of_the_golden_ratio_are_for_stated_shards_and_one_gateway_a_device() {
    check(
        "stream.partitioning = 'golden'",
        &["6: stream.partitioning = 'golden': needs stream.shards: it is for a stream of so many \
           shards of equal ranges"],
    );
    check(
        "stream.shards = 4\nstream.partitioning = 'golden'\nmqtt.share_group = 'g'",
        &["7: stream.partitioning = 'golden': cannot be together with mqtt.share_group: each \
           member of the group would give a device another number, and so another shard"],
    );
    let golden = stream("stream.shards = 4\nstream.partitioning = 'golden'");
    assert_eq!(golden.partitioning, Partitioning::Golden);
    assert_eq!(stream("").partitioning, Partitioning::Md5);
}

#[test]
fn topics_are_for_one_connection_and_disjoint_lanes_for_several() {
    check(
        "mqtt.lanes = [['a']]",
        &["6: mqtt.lanes = [['a']]: cannot be together with topics: that is one lane"],
    );
    check(
        "mqtt.topics!\nmqtt.lanes = [['a/+', 'b'], ['c/#', 'b'],\n['a/1', 'd']]",
        &[
            "6: mqtt.lanes = 'b': is there twice",
            "7: mqtt.lanes = 'a/1': overlaps \"a/+\" of another lane: what both match would be \
             received twice",
        ],
    );
    check(
        "mqtt.topics!\nmqtt.lanes = [['a'], []]",
        &["6: mqtt.lanes = []: must have at least one topic filter"],
    );
    check(
        "mqtt.topics!\nmqtt.lanes = []",
        &["6: mqtt.lanes = []: must have 1 to 64 lists, one for each connection"],
    );
    let many = vec!["['a']"; 65].join(", ");
    assert!(
        said(&format!("mqtt.topics!\nmqtt.lanes = [{many}]"))
            .iter()
            .any(|l| l.contains("1 to 64 lists"))
    );

    let lanes = config(
        "mqtt.topics!\nmqtt.qos = 0\nmqtt.lanes = [['a'], ['b', { filter = 'c', qos = 1 }]]",
    )
    .mqtt
    .lanes;
    let written: Vec<Vec<_>> = lanes
        .iter()
        .map(|lane| lane.iter().map(|one| (one.filter.as_str(), one.qos)).collect())
        .collect();
    assert_eq!(
        written,
        [vec![("a", Qos::AtMostOnce)], vec![("b", Qos::AtMostOnce), ("c", Qos::AtLeastOnce)]]
    );
}

#[test]
fn tls_needs_a_url_that_speaks_it_and_a_certificate_its_key() {
    check(
        "mqtt.tls.ca_file = 'ca.pem'",
        &["6: mqtt.tls: needs a url that begins with mqtts:// or wss://"],
    );
    check(
        "mqtt.url = 'wss://b'\nmqtt.tls.cert_file = 'c.pem'",
        &["7: mqtt.tls.cert_file = 'c.pem': needs key_file beside it"],
    );
    check(
        "mqtt.url = 'mqtts://b'\nmqtt.tls.key_file = 'k.pem'",
        &["7: mqtt.tls.key_file = 'k.pem': needs cert_file beside it"],
    );
    let broker = config("mqtt.url = 'mqtts://b'\nmqtt.tls = { cert_file = 'c', key_file = 'k' }")
        .mqtt
        .broker;
    let tls = broker.tls.expect("mqtts is TLS");
    assert_eq!(tls.client, Some(("c".into(), "k".into())));
    assert!(config("mqtt.url = 'wss://b'").mqtt.broker.tls.is_some());
}

#[test]
fn a_scheme_brings_its_port_and_its_path() {
    for (url, port, path, tls) in [
        ("mqtt://b", 1883, None, false),
        ("mqtts://b/", 8883, None, true),
        ("ws://b", 80, Some("/"), false),
        ("wss://b?a=1", 443, Some("/?a=1"), true),
        ("ws://b:9001/mqtt", 9001, Some("/mqtt"), false),
    ] {
        let broker = config(&format!("mqtt.url = '{url}'")).mqtt.broker;
        assert_eq!((broker.port, broker.websocket_path.as_deref()), (port, path), "{url}");
        assert_eq!((broker.host.as_str(), broker.tls.is_some()), ("b", tls), "{url}");
    }
}

#[test]
fn there_is_one_password_and_it_belongs_to_a_user() {
    check("mqtt.password_file = 'f'", &["6: mqtt.password_file = 'f': needs username beside it"]);
    check(
        "mqtt.username = 'u'\nmqtt.password_file = 'f'\nmqtt.password_env = 'V'",
        &["8: mqtt.password_env = 'V': cannot be together with password_file: there is one \
             password"],
    );
    check(
        "mqtt.username = 'u'\nmqtt.password_env = 'A=B'",
        &["7: mqtt.password_env = 'A=B': must be the name of an environment variable"],
    );
    let login = config("mqtt.username = 'u'\nmqtt.password_env = 'V'").mqtt.login.expect("a login");
    assert_eq!(login.password, Some(Password::Env("V".into())));
}

#[test]
fn the_status_topic_is_made_of_a_client_id_that_a_topic_can_hold() {
    check(
        "mqtt.client_id = 'a+b'\nmqtt.status_topic = true",
        &["6: mqtt.client_id = 'a+b': must be without + and #, because status_topic makes a \
             topic of it"],
    );
    config("mqtt.client_id = 'a+b'");

    let long = format!("mqtt.client_id = '{}'\n", "a".repeat(65_535));
    config(&long);
    let too_long = |case: &str, bytes_max: usize| {
        let fault = format!("must have 1 to {bytes_max} bytes and no control characters");
        assert!(said(&(long.clone() + case)).iter().all(|line| line.ends_with(&fault)), "{case}");
        assert_eq!(said(&(long.clone() + case)).len(), 1, "{case}");
    };
    too_long("mqtt.status_topic = true", 65_519);
    too_long("mqtt.topics!\nmqtt.lanes = [['a'], ['b']]", 65_532);
}

#[test]
fn a_stream_has_one_name_and_the_region_of_its_arn() {
    const ARN: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/s";
    check(
        &format!("stream.arn = '{ARN}'\nstream.region = 'eu-west-1'"),
        &[&format!("6: stream.arn = '{ARN}': cannot be together with name: say one of them")],
    );
    check(
        &format!("stream.name!\nstream.arn = '{ARN}'"),
        &["5: stream.region = 'eu-central-1': is not the region of the arn, \"eu-west-1\""],
    );
    let stream = stream(&format!("stream.name!\nstream.region!\nstream.arn = '{ARN}'"));
    assert_eq!(
        (stream.target, stream.region.as_str()),
        (StreamTarget::Arn(ARN.into()), "eu-west-1")
    );
}

#[test]
fn raw_records_have_no_measurements() {
    check(
        "records.format = 'raw'\nrecords.unmapped = 'drop'\nrecords.mapping = []",
        &[
            "7: records.unmapped = 'drop': changes nothing while records.format is \"raw\"",
            "8: records.mapping = []: changes nothing while records.format is \"raw\"",
        ],
    );
}

#[test]
fn two_fields_of_a_mapping_differ_in_name_or_channel() {
    let mapping = |second: &str| {
        format!(
            "[[records.mapping]]\nfilter = 't'\n[[records.mapping.field]]\npointer = '/a'\nname = 'a'\n\
             [[records.mapping.field]]\npointer = '/b'\nname = 'a'\n{second}"
        )
    };
    check(
        &mapping(""),
        &["13: records.mapping.field.name = 'a': is there twice: tell the fields apart by channel"],
    );
    assert_eq!(config(&mapping("channel = 1")).records.mappings[0].fields.len(), 2);
}

#[test]
fn an_empty_pointer_stands_for_none() {
    let records = config("records.sequence_pointer = ''\nrecords.time_pointers = []").records;
    assert_eq!((records.sequence_pointer, records.time_pointers), (None, vec![]));
}

#[test]
fn memory_that_nobody_limited_grows_to_what_is_needed() {
    assert_eq!(config("").memory_bytes_max, 48 * MIB);
    let asked = config("stream.requests_in_flight = 64\nbatch.bytes_max = '10 MiB'");
    assert_eq!(asked.memory_bytes_max, 2 * 64 * 10 * MIB + 40 * MIB);
    let lanes: Vec<_> = (0..64).map(|n| format!("['{n}']")).collect();
    let lanes = config(&format!("mqtt.topics!\nmqtt.lanes = [{}]", lanes.join(", ")));
    assert_eq!(lanes.memory_bytes_max, 8 * MIB + 64 * 4 * MIB);
}

#[test]
fn into_memory_that_was_limited_fits_what_we_choose() {
    for (case, requests, packet) in [
        ("memory_bytes_max = '40 MiB'", 4, 8 * MIB),
        ("memory_bytes_max = '40 MiB'\nspool.mode = 'off'", 4, 10 * MIB),
        ("memory_bytes_max = '40 MiB'\nmqtt.topics!\nmqtt.lanes = [['a'], ['b']]", 4, 4 * MIB),
        ("memory_bytes_max = '16 MiB'", 4, 2 * MIB),
        ("memory_bytes_max = '8 MiB'", 2, MIB),
        ("memory_bytes_max = '6 MiB'", 1, MIB),
        ("memory_bytes_max = '16 MiB'\nmqtt.packet_bytes_max = '2 MiB'", 4, 2 * MIB),
        ("memory_bytes_max = '16 MiB'\nmqtt.packet_bytes_max = '3 MiB'", 2, 3 * MIB),
        ("memory_bytes_max = '16 MiB'\nstream.requests_in_flight = 6", 6, MIB),
    ] {
        let config = config(case);
        let got = (
            config.streams.first().requests_in_flight,
            usize::try_from(config.mqtt.packet_bytes_max),
        );
        assert_eq!(got, (requests, Ok(packet)), "{case}");
    }
}

#[test]
fn memory_that_was_limited_below_what_was_asked_for_is_a_fault() {
    let parts = "twice stream.requests_in_flight × batch.bytes_max, and twice \
                 mqtt.packet_bytes_max for each connection, as much again for the spool";
    check(
        "memory_bytes_max = '16 MiB'\nmqtt.packet_bytes_max = '4 MiB'\nstream.requests_in_flight \
         = 8",
        &[&format!("6: memory_bytes_max = '16 MiB': must be at least \"32 MiB\": {parts}")],
    );
    check(
        "memory_bytes_max = '16 MiB'\nbatch.bytes_max = '10 MiB'",
        &[&format!("6: memory_bytes_max = '16 MiB': must be at least \"60 MiB\": {parts}")],
    );
}

#[test]
fn the_parts_of_the_memory_and_the_packets_being_read_are_the_whole() {
    for (case, lanes, spool) in [
        ("", 1, 20 * MIB),
        ("mqtt.topics!\nmqtt.lanes = [['a'], ['b']]", 2, 20 * MIB),
        ("spool.mode = 'off'", 1, 0),
        ("memory_bytes_max = '512 MiB'\nspool.mode = 'always'", 1, 252 * MIB),
    ] {
        let config = config(case);
        let packet = usize::try_from(config.mqtt.packet_bytes_max).unwrap();
        assert_eq!(config.spool_memory_bytes_max(), spool, "{case}");
        assert!(config.intake_bytes_max() >= packet, "{case}");
        let connections = lanes * (config.intake_bytes_max() + packet);
        assert_eq!(connections + spool + 8 * MIB, config.memory_bytes_max, "{case}");
    }
}

#[test]
fn a_full_batch_passes_the_uplink_before_its_call_times_out() {
    // 1 MiB × 11 bits at 256 kbit/s: 45.1 s.
    check(
        "stream.uplink_kbit_s_max = 256\nstream.request_timeout_s = 45",
        &["7: stream.request_timeout_s = 45: must be at least 46 seconds: a full batch \
           (batch.bytes_max) takes so long at uplink_kbit_s_max"],
    );
    config("stream.uplink_kbit_s_max = 256\nstream.request_timeout_s = 46");
    let guessed = |kbit_s| stream(&format!("stream.uplink_kbit_s_max = {kbit_s}")).request_timeout;
    assert_eq!(guessed(256), Duration::from_secs(92));
    assert_eq!(guessed(100_000), Duration::from_secs(15));
}

#[test]
fn dead_letters_go_to_another_stream_in_the_same_region() {
    let stream = |text: &str| {
        let dead_letter = config(&format!("dead_letter.stream = '{text}'")).dead_letter;
        dead_letter.stream.map(|letters| letters.target)
    };
    let arn = |region| format!("arn:aws:kinesis:{region}:123456789012:stream/letters");
    let here = arn("eu-central-1");
    assert_eq!(stream("letters"), Some(StreamTarget::Name("letters".to_owned())));
    assert_eq!(stream(&here), Some(StreamTarget::Arn(here.clone())));
    let faulty = |text: &str, allowed: &str| {
        let fault = format!("6: dead_letter.stream = '{text}': must be {allowed}");
        check(&format!("dead_letter.stream = '{text}'"), &[&fault]);
    };
    faulty(&arn("us-east-1"), "in the region of stream, \"eu-central-1\"");
    faulty("s", "another stream than that of the records");
    faulty("", "1 to 128 letters, digits, underscores, dots and hyphens");
    let form = "arn:aws:kinesis:<region>:<account>:stream/<name>";
    faulty("arn:aws:s3:::x", &format!("the ARN of a stream: {form}"));
}

#[test]
fn dead_letters_lie_in_the_state_directory_unless_said_otherwise() {
    let config = config("state_dir = '/var/lib/x'");
    assert_eq!(config.dead_letter.dir, Path::new("/var/lib/x/dead-letters"));
}
