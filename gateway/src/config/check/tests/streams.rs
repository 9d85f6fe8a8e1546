//! Several streams: `[[stream]]`.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, KeySource, LetterStream, PaceMode, StreamTarget};

/// What must be there beside the streams: their lines begin with line 2.
const REST: &str = "mqtt = { url = 'mqtt://b', client_id = 'c', topics = ['a/#', 'b/+'] }\n";

/// Two streams that agree with each other; what is in the place of `{}` goes to the second.
const TWO: &str = "[[stream]]\nname = 'north'\nregion = 'eu-north-1'\nroute.topics = ['a/#']\n\
                   [[stream]]\nname = 'south'\nregion = 'eu-south-1'\n{}";

fn parsed(text: &str) -> Result<Config, String> {
    Config::parse(&format!("{REST}{text}")).map_err(|faults| faults.to_string())
}

#[track_caller]
fn two(second: &str) -> Config {
    parsed(&TWO.replace("{}", second)).unwrap_or_else(|faults| panic!("{faults}"))
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let faults = parsed(text).expect_err(text);
    let said: Vec<_> =
        faults.lines().map(|line| line.trim_start_matches("tidegate.toml:").trim()).collect();
    assert_eq!(said, expected, "in\n{text}");
}

#[track_caller]
fn check_second(second: &str, expected: &[&str]) {
    check(&TWO.replace("{}", second), expected);
}

#[test]
fn one_stream_is_as_it_always_was_and_one_of_a_list_lies_apart() {
    let dirs = |text: &str| {
        let config = parsed(text).unwrap_or_else(|faults| panic!("{faults}"));
        let stream = config.streams.first();
        assert_eq!((config.streams.count(), stream.label.as_str()), (1, "north"));
        (config.spool_of(stream), stream.within(&config.state_dir))
    };
    let keys = "name = 'north'\nregion = 'eu-north-1'";
    let (spool, state) = dirs(&format!("[stream]\n{keys}"));
    assert_eq!(spool.dir, Path::new("./tidegate-state/spool"));
    assert_eq!((spool.bytes_max, state.as_path()), (2 << 30, Path::new("./tidegate-state")));
    let (spool, state) = dirs(&format!("[[stream]]\n{keys}"));
    assert_eq!(spool.dir, Path::new("./tidegate-state/spool/streams/north"));
    assert_eq!(state, Path::new("./tidegate-state/streams/north"));
}

#[test]
fn streams_share_the_disk_and_the_memory_in_equal_parts() {
    let config = two("requests_in_flight = 2");
    let parts: Vec<_> = config.streams.iter().map(|one| config.spool_of(one).bytes_max).collect();
    assert_eq!(parts, [1 << 30, 1 << 30]);
    // Of 48 MiB, 12 are for six requests, and the connection has half of the rest.
    assert_eq!(config.memory_bytes_max, 48 << 20);
    assert_eq!(config.spool_memory_bytes_max(), 9 << 20);
}

#[test]
fn into_memory_that_was_limited_fit_the_requests_of_all_streams() {
    let requests = |rest: &str, second: &str| {
        let config = two(&format!("{second}\n{rest}"));
        config.streams.iter().map(|one| one.requests_in_flight).collect::<Vec<_>>()
    };
    assert_eq!(requests("", "requests_in_flight = 9"), [4, 9]);
    let limited = |second| {
        let text = format!("memory_bytes_max = '16 MiB'\n{}", TWO.replace("{}", second));
        let config = parsed(&text).unwrap_or_else(|faults| panic!("{faults}"));
        config.streams.iter().map(|one| one.requests_in_flight).collect::<Vec<_>>()
    };
    assert_eq!(limited(""), [2, 2]);
    assert_eq!(limited("requests_in_flight = 3"), [1, 3]);
    assert_eq!(limited("requests_in_flight = 5"), [1, 5]);
    let text =
        format!("memory_bytes_max = '16 MiB'\n{}", TWO.replace("{}", "requests_in_flight = 7"));
    check(
        &text,
        &["2: memory_bytes_max = '16 MiB': must be at least \"20 MiB\": twice \
           stream.requests_in_flight × batch.bytes_max for each stream, and twice \
           mqtt.packet_bytes_max for each connection, as much again for the spool"],
    );
}

#[test]
fn what_a_stream_does_not_say_of_its_pace_is_as_for_all() {
    let text = "[pace]\nmode = 'feedback'\ninstances = 3\n";
    let config = two(&format!("pace = {{ instances = 5, fraction = 0.6 }}\n{text}"));
    let pace: Vec<_> = config.streams.iter().map(|one| &one.pace).collect();
    assert_eq!((pace[0].mode, pace[0].instances), (PaceMode::Feedback, Some(3)));
    assert_eq!((pace[1].mode, pace[1].instances), (PaceMode::Feedback, Some(5)));
    assert!((pace[0].fraction - 0.9).abs() < 1e-9 && (pace[1].fraction - 0.6).abs() < 1e-9);
    assert!((config.plan.target - 0.6).abs() < 1e-9, "nobody plans for more than is used");
}

#[test]
fn each_stream_has_what_belongs_to_it() {
    let config = two("uplink_kbit_s_max = 256\nrecord_age_s_max = 7\n\
         credentials = { kind = 'csv', file = '/nowhere/k.csv' }");
    let [north, south] = config.streams.iter().collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!((north.record_age_max, south.record_age_max), (None, Some(Duration::from_secs(7))));
    assert_eq!(south.request_timeout, Duration::from_secs(92));
    assert_eq!(north.request_timeout, Duration::from_secs(15));
    let csv = KeySource::Csv { file: "/nowhere/k.csv".into(), user: None };
    assert_eq!((&north.credentials.source, &south.credentials.source), (&KeySource::Default, &csv));
}

#[test]
fn a_fault_names_the_stream_that_it_is_in() {
    check_second("shards = 0", &["9: stream[south].shards = 0: must be 1 to 20000 shards"]);
    check_second(
        "shard = 4",
        &["9: stream[south].shard: no such key; did you mean stream.shards?"],
    );
    check_second(
        "proxy.url = 'ftp://p'",
        &["9: stream[south].proxy.url = 'ftp://p': must be a URL such as \
           \"http://proxy.example:3128\", or \"off\""],
    );
    check(
        "[[stream]]\nname = 'n'\n[[stream]]\nregion = 'eu-north-1'",
        &[
            "2: stream[n].region: is missing: the AWS region of the stream, such as \"eu-central-1\"",
            "4: stream[2].name: is missing: the name of the stream, or else its arn",
            "4: stream[2].route: takes nothing: \"n\" is before it and takes all of that",
        ],
    );
    check("stream = [4]", &["2: stream = 4: must be a table: { key = value, … }"]);
}

#[test]
fn labels_are_names_of_directories_and_tell_streams_apart() {
    check_second(
        "label = 'north'",
        &["9: stream[north].label = 'north': is there twice: say another"],
    );
    for label in ["'a/b'", "''", "'.hidden'", "'a b'"] {
        let must = "must be 1 to 128 letters, digits, underscores, hyphens and dots, and not begin \
                    with a dot";
        check_second(
            &format!("label = {label}"),
            &[&format!("9: stream[2].label = {label}: {must}")],
        );
    }
    let arn = "arn:aws:kinesis:eu-south-1:123456789012:stream/north";
    check(
        &TWO.replace("name = 'south'", &format!("arn = '{arn}'")).replace("{}", ""),
        &["6: stream[north].label: is there twice: say another"],
    );
    let label = |second: &str| two(second).streams.iter().nth(1).map(|one| one.label.clone());
    assert_eq!(label("label = 'south-2'").as_deref(), Some("south-2"));
    assert_eq!(
        two("").streams.labelled("south").map(|one| one.region.as_str()),
        Some("eu-south-1")
    );
}

#[test]
fn a_stream_is_not_there_twice() {
    let again = |more: &str| {
        format!(
            "[[stream]]\nname = 'n'\nregion = 'eu-north-1'\nroute.topics = ['a/#']\n\
             [[stream]]\nlabel = 'm'\nname = 'n'\nregion = 'eu-north-1'\n{more}"
        )
    };
    check(
        &again(""),
        &["8: stream[m].name = 'n': is there twice: let one [[stream]] take the records of both"],
    );
    // With another key it is one of another account.
    let another_key = "credentials = { kind = 'csv', file = 'k.csv' }";
    parsed(&again(another_key)).unwrap();
    let arn = |account: u64| format!("arn = 'arn:aws:kinesis:eu-north-1:{account}:stream/n'");
    let (ours, theirs) = (arn(111_111_111_111), arn(222_222_222_222));
    let twice =
        format!("8: stream[m].{ours}: is there twice: let one [[stream]] take the records of both");
    // By its name and by its ARN; an ARN is of one account, whoever's key it is.
    let second = format!("label = 'm'\n{ours}");
    check(&again("").replacen("label = 'm'\nname = 'n'", &second, 1), &[&twice]);
    let by_arn = again(another_key).replacen("name = 'n'", &ours, 1);
    let by_arn = by_arn.replacen("[[stream]]\n", "[[stream]]\nlabel = 'n'\n", 1);
    check(&by_arn.replacen("name = 'n'", &ours, 1), &[&twice.replacen('8', "9", 1)]);
    parsed(&by_arn.replacen("name = 'n'", &theirs, 1)).unwrap();
}

#[test]
fn the_arn_of_a_stream_is_of_the_partition_of_its_region() {
    let arn = |partition: &str, region: &str| {
        format!("[stream]\narn = 'arn:{partition}:kinesis:{region}:123456789012:stream/s'")
    };
    for (partition, region) in
        [("aws", "eu-north-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
    {
        parsed(&arn(partition, region)).unwrap_or_else(|faults| panic!("{faults}"));
    }
    for (partition, region, ours) in
        [("aws", "us-gov-west-1", "aws-us-gov"), ("awsbogus", "eu-north-1", "aws")]
    {
        let said = parsed(&arn(partition, region)).expect_err(partition);
        let why = format!("is of the partition {partition}, and {region} is of {ours}");
        assert!(said.contains(&why) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_stream_that_can_never_get_anything_is_a_fault() {
    let routes = |first: &str, second: &str| {
        format!(
            "records.topic_template = '{{tenant}}/{{type}}'\n\
             [[stream]]\nname = 'n'\nregion = 'eu-north-1'\nroute = {{ {first} }}\n\
             [[stream]]\nname = 's'\nregion = 'eu-south-1'\nroute = {{ {second} }}\n"
        )
    };
    for (first, second) in [
        ("", "topics = ['a/b']"),
        ("", ""),
        ("topics = ['a/#']", "topics = ['a/b', 'a/c/d']"),
        ("topics = ['a/#']", "topics = ['a/b'], tenants = ['x']"),
        ("types = ['x', 'y']", "types = ['y']"),
        ("tenants = ['x']", "tenants = ['x'], types = ['y']"),
    ] {
        let fault = "takes nothing: \"n\" is before it and takes all of that";
        let said = parsed(&routes(first, second)).expect_err(second);
        assert!(said.contains(fault) && said.lines().count() == 1, "{first} / {second}: {said}");
    }
    for (first, second) in [
        ("topics = ['a/b']", ""),
        ("topics = ['a/+']", "topics = ['a/b', 'a/c/d']"),
        ("topics = ['a/#'], types = ['x']", "topics = ['a/#']"),
        ("types = ['x']", "tenants = ['x']"),
    ] {
        parsed(&routes(first, second)).unwrap_or_else(|faults| panic!("{faults}"));
    }
}

#[test]
fn a_route_that_is_misspelt_is_told_of_alone() {
    for (written, fault) in [
        (
            "route = { type = ['event'] }",
            ".route.type: no such key; did you mean stream.route.types?",
        ),
        (
            "route = { tenant = ['x'] }",
            ".route.tenant: no such key; did you mean stream.route.tenants?",
        ),
        (
            "route = { Topics = ['b/+'] }",
            ".route.Topics: no such key; did you mean stream.route.topics?",
        ),
        ("routes = { types = ['event'] }", ".routes: no such key; did you mean stream.route?"),
        ("types = ['event']", ".types: no such key; did you mean stream.route.types?"),
    ] {
        // As the second nothing would be left for it, as the first it would leave nothing.
        let misspelt = format!("[[stream]]\nname = 's'\nregion = 'eu-south-1'\n{written}\n");
        let other = "[[stream]]\nname = 'n'\nregion = 'eu-north-1'\n";
        let mapping = "[[records.mapping]]\nfilter = 'a/#'\n[[records.mapping.field]]\n\
                       pointer = '/a'\nname = 'a'\ntype = 'text'\n";
        check(&format!("{other}{misspelt}{mapping}"), &[&format!("8: stream[s]{fault}")]);
        check(&format!("{misspelt}{other}"), &[&format!("5: stream[s]{fault}")]);
    }
}

#[test]
fn a_route_leads_from_something_that_there_is() {
    check_second(
        "route = { topics = ['c/d', 'b/x'], tenants = [], types = ['x'] }",
        &[
            "9: stream[south].route.tenants = []: names nothing, so nothing would go to this stream: \
             leave it out for any",
            "9: stream[south].route.topics = ['c/d', 'b/x']: nothing is subscribed to that \"c/d\" \
             matches",
            "9: stream[south].route.types = ['x']: needs {type} in records.topic_template: without, \
             all are \"telemetry\"",
        ],
    );
    check_second(
        "route.topics = ['a/#/b']",
        &[
            "9: stream[south].route.topics = 'a/#/b': '#' must be the last level of a topic filter, and \
           the whole level",
        ],
    );
    let first = TWO.replace("'a/#'", "'a#'").replace("{}", "");
    check(
        &first,
        &[
            "5: stream[north].route.topics = 'a#': '#' must be the last level of a topic filter, and \
           the whole level",
        ],
    );
    check_second(
        "route.types = ['telemetry', 'event']",
        &["9: stream[south].route.types = ['telemetry', 'event']: needs {type} in \
           records.topic_template: without, all are \"telemetry\""],
    );
    two("route = { types = ['telemetry'] }");
    parsed("[stream]\nname = 's'\nregion = 'eu-north-1'\nroute.topics = ['b/+']").unwrap();
}

#[test]
fn several_streams_need_the_spool_and_room_in_it() {
    check_second(
        "[spool]\nmode = 'off'",
        &[
            "10: spool.mode = 'off': cannot be \"off\" with several streams: publishes are acknowledged \
           in order, so the trouble of one would hold back the others",
        ],
    );
    check_second(
        "[spool]\nbytes_max = '20 MiB'",
        &["10: spool.bytes_max = '20 MiB': must be at least \"32 MiB\" for so many streams"],
    );
    let many = |count: usize| {
        let one = |number| {
            format!(
                "[[stream]]\nname = 's{number}'\nregion = 'eu-north-1'\nroute.topics = ['a/{number}']\n"
            )
        };
        parsed(&(0..count).map(one).collect::<String>())
    };
    assert_eq!(many(64).map(|config| config.streams.count()), Ok(64));
    assert!(many(65).expect_err("too many").contains("must be at most 64 streams"));
}

#[test]
fn dead_letters_of_several_streams_go_with_the_one_that_is_said() {
    let letters = |name: &str| format!("[dead_letter]\nstream = '{name}'\nwith = 'south'");
    // The name of another's may be another stream in the account of this one.
    let target = StreamTarget::Name("north".to_owned());
    let stream = LetterStream { target, with: "south".to_owned() };
    assert_eq!(two(&letters("north")).dead_letter.stream, Some(stream));
    check_second(
        &letters("south"),
        &["10: dead_letter.stream = 'south': must be another stream than that of the records"],
    );
    let of_one_key = "[[stream]]\nname = 'a'\nregion = 'eu-north-1'\nroute.topics = ['a/#']\n\
                      [[stream]]\nname = 'b'\nregion = 'eu-north-1'\n\
                      [dead_letter]\nstream = 'b'\nwith = 'a'";
    check(
        of_one_key,
        &["10: dead_letter.stream = 'b': must be another stream than that of the records"],
    );
    let arn = "arn:aws:kinesis:eu-north-1:123456789012:stream/letters";
    check_second(
        &letters(arn),
        &[&format!(
            "10: dead_letter.stream = '{arn}': must be in the region of stream[south], \"eu-south-1\""
        )],
    );
    check_second(
        "[dead_letter]\nstream = 'letters'",
        &[
            "10: dead_letter.stream = 'letters': takes payloads of all streams: say with which key, and \
           so to whom, by dead_letter.with and one of north, south",
        ],
    );
    check_second(
        "[dead_letter]\nstream = 'letters'\nwith = 'west'",
        &["11: dead_letter.with = 'west': must be the label of a stream: north, south"],
    );
}
