//! One setting at a time.

use super::{check, check_lines};

#[test]
fn a_number_out_of_range_or_no_whole_number_is_a_fault() {
    check_lines(&[
        ("batch.linger_ms = 0", "batch.linger_ms = 0: must be 1 to 999 milliseconds"),
        ("batch.linger_ms = 1000", "batch.linger_ms = 1000: must be 1 to 999 milliseconds"),
        ("batch.linger_ms = -1", "batch.linger_ms = -1: must be 1 to 999 milliseconds"),
        ("batch.linger_ms = 1.5", "batch.linger_ms = 1.5: must be 1 to 999 milliseconds"),
        (
            "batch.linger_ms = '50'",
            "batch.linger_ms = '50': must be 1 to 999 milliseconds, a number without quotes",
        ),
        (
            "batch.linger_ms = 2020-01-01",
            "batch.linger_ms = 2020-01-01: must be 1 to 999 milliseconds",
        ),
        ("batch.linger_ms = 0xff", ""),
        ("batch.linger_ms = 9_9_9", ""),
        ("batch.records_max = 501", "batch.records_max = 501: must be 1 to 500 records"),
        ("drain_s_max = 0", "drain_s_max = 0: must be 1 to 3600 seconds"),
        (
            "mqtt.receive_maximum = 65536",
            "mqtt.receive_maximum = 65536: must be 1 to 65535 publishes",
        ),
        ("mqtt.keep_alive_s = 4", "mqtt.keep_alive_s = 4: must be 5 to 65535 seconds"),
        ("mqtt.connect_timeout_s = 0", "mqtt.connect_timeout_s = 0: must be 1 to 120 seconds"),
        (
            "mqtt.session_expiry_s = 4294967295",
            "mqtt.session_expiry_s = 4294967295: must be 600 to 4294967294 seconds",
        ),
        (
            "mqtt.reconnect_ms_min = 18446744073709551616",
            "mqtt.reconnect_ms_min = 18446744073709551616: must be 10 to 60000 milliseconds",
        ),
        (
            "mqtt.reconnect_ms_max = 1",
            "mqtt.reconnect_ms_max = 1: must be 10 to 300000 milliseconds",
        ),
        ("stream.shards = 20001", "stream.shards = 20001: must be 1 to 20000 shards"),
        (
            "stream.request_timeout_s = 901",
            "stream.request_timeout_s = 901: must be 1 to 900 seconds",
        ),
        ("stream.connect_timeout_s = 61", "stream.connect_timeout_s = 61: must be 1 to 60 seconds"),
        (
            "stream.requests_in_flight = 65",
            "stream.requests_in_flight = 65: must be 1 to 64 requests",
        ),
        (
            "stream.backoff_ms_min = 9",
            "stream.backoff_ms_min = 9: must be 10 to 60000 milliseconds",
        ),
        (
            "stream.backoff_ms_max = 9",
            "stream.backoff_ms_max = 9: must be 10 to 300000 milliseconds",
        ),
        (
            "stream.uplink_kbit_s_max = 63",
            "stream.uplink_kbit_s_max = 63: must be 64 to 100000000 kbit/s",
        ),
        (
            "stream.record_age_s_max = 0",
            "stream.record_age_s_max = 0: must be 1 to 31536000 seconds",
        ),
        ("pace.instances = 0", "pace.instances = 0: must be 1 to 10000 gateways"),
        ("pace.fraction = 0", "pace.fraction = 0: must be above 0 and at most 1"),
        ("pace.fraction = nan", "pace.fraction = nan: must be above 0 and at most 1"),
        ("pace.fraction = '1'", "pace.fraction = '1': must be a number"),
        ("pace.fraction = 1", ""),
    ]);
}

#[test]
fn a_size_out_of_range_or_with_a_unit_of_two_meanings_is_a_fault() {
    let two_ways = "is read in two ways: say KiB, MiB, GiB (powers of 1024) or kB (1000)";
    let no_size =
        "must be a size such as \"64 MiB\", with KiB, MiB, GiB or kB, or a number of bytes";
    check_lines(&[
        ("batch.bytes_max = '1 MB'", &format!("batch.bytes_max = '1 MB': MB {two_ways}")),
        ("batch.bytes_max = '1024 KB'", &format!("batch.bytes_max = '1024 KB': KB {two_ways}")),
        ("batch.bytes_max = 'much'", &format!("batch.bytes_max = 'much': {no_size}")),
        ("batch.bytes_max = true", "batch.bytes_max = true: must be \"1 MiB\" to \"10 MiB\""),
        ("batch.bytes_max = 1048575", "batch.bytes_max = 1048575: must be \"1 MiB\" to \"10 MiB\""),
        ("batch.bytes_max = 1048576", ""),
        (
            "memory_bytes_max = '5 MiB'",
            "memory_bytes_max = '5 MiB': must be \"6 MiB\" to \"3 GiB\"",
        ),
        (
            "mqtt.packet_bytes_max = '1 kB'",
            "mqtt.packet_bytes_max = '1 kB': must be \"4 KiB\" to \"256 MiB\"",
        ),
        (
            "dead_letter.bytes_max = 0",
            "dead_letter.bytes_max = 0: must be \"1 MiB\" to \"1024 GiB\"",
        ),
    ]);
}

#[test]
fn a_word_that_is_not_on_offer_is_a_fault() {
    check_lines(&[
        ("order = 'fifo'", "order = 'fifo': must be \"device\" or \"strict\" or \"none\""),
        ("order = 1", "order = 1: must be \"device\" or \"strict\" or \"none\""),
        ("mqtt.retained = true", "mqtt.retained = true: must be \"deliver\" or \"skip\""),
        ("mqtt.version = 4", "mqtt.version = 4: must be 5 or 3"),
        ("mqtt.status_topic = 'on'", "mqtt.status_topic = 'on': must be true or false"),
        ("records.format = 'json'", "records.format = 'json': must be \"canonical\" or \"raw\""),
        (
            "records.unmapped = ''",
            "records.unmapped = '': must be \"measure\" or \"keep\" or \"drop\"",
        ),
        ("records.newline = 1", "records.newline = 1: must be true or false"),
        (
            "stream.partitioning = 'even'",
            "stream.partitioning = 'even': must be \"md5\" or \"golden\"",
        ),
        ("pace.mode = 'on'", "pace.mode = 'on': must be \"shards\" or \"feedback\" or \"off\""),
        (
            "dead_letter.when_full = 'drop'",
            "dead_letter.when_full = 'drop': must be \"drop_oldest\" or \"wait\"",
        ),
    ]);
}

#[test]
fn a_broker_that_cannot_be_reached_as_written_is_a_fault() {
    let client_id = "must be fixed, without braces: the broker keeps our session under it from one \
                     start to the next";
    check_lines(&[
        ("mqtt.url = 'b:1883'", "mqtt.url = 'b:1883': must be a URL such as scheme://host:port"),
        (
            "mqtt.url = 'http://b'",
            "mqtt.url = 'http://b': must begin with mqtt://, mqtts://, ws:// or wss://",
        ),
        (
            "mqtt.url = 'mqtt://b/mqtt'",
            "mqtt.url = 'mqtt://b/mqtt': must end after the port: only ws:// and wss:// have a \
             path",
        ),
        ("mqtt.url = 'mqtt://b:0'", "mqtt.url = 'mqtt://b:0': must have a port of 1 to 65535"),
        ("mqtt.client_id = '{random}'", &format!("mqtt.client_id = '{{random}}': {client_id}")),
        ("mqtt.client_id = 'a}'", &format!("mqtt.client_id = 'a}}': {client_id}")),
        (
            "mqtt.client_id = ''",
            "mqtt.client_id = '': must have 1 to 65535 bytes and no control characters",
        ),
        ("mqtt.share_group = 'a/b'", "mqtt.share_group = 'a/b': must be without /, + and #"),
        (
            "mqtt.username = ''",
            "mqtt.username = '': must have 1 to 65535 bytes and no control characters",
        ),
    ]);
}

#[test]
fn a_secret_is_refused_and_never_repeated() {
    check_lines(&[
        (
            "mqtt.password = 'hunter2'",
            "mqtt.password: a secret has no place here: use password_file or password_env",
        ),
        (
            "mqtt.url = 'mqtt://joe:hunter2@b'",
            "mqtt.url: must be without user:password@: use username, and password_file or \
             password_env",
        ),
        (
            "mqtt.url = 'x://joe:hunter2@b c'",
            "mqtt.url: must be a URL without spaces and without '#'",
        ),
        (
            "stream.endpoint = 'http://joe:hunter2@e'",
            "stream.endpoint: must be a URL such as \"https://kinesis.example:4567\"",
        ),
    ]);
}

#[test]
fn a_filter_that_mqtt_does_not_know_is_a_fault() {
    let qos_2 = "must be 0 or 1: the client library forgets what it received at QoS 2 when it \
                 reconnects; what is published at QoS 2 arrives at QoS 1";
    check_lines(&[
        ("mqtt.topics = 't'", "mqtt.topics = 't': must be a list of topic filters"),
        ("mqtt.topics = []", "mqtt.topics = []: must have at least one topic filter"),
        ("mqtt.topics = ['']", "mqtt.topics = '': a topic filter cannot be empty"),
        (
            "mqtt.topics = ['a', 'b/#/c']",
            "mqtt.topics = 'b/#/c': '#' must be the last level of a topic filter, and the whole \
             level",
        ),
        ("mqtt.topics = ['a+']", "mqtt.topics = 'a+': '+' must be a whole level of a topic filter"),
        (
            "mqtt.topics = [\"a\\u0000\"]",
            "mqtt.topics = \"a\\u0000\": a topic filter cannot contain the character NUL",
        ),
        (
            "mqtt.topics = ['$share/g/t']",
            "mqtt.topics = '$share/g/t': must be without $share/…: name the group in \
             mqtt.share_group",
        ),
        ("mqtt.topics = [1]", "mqtt.topics = 1: must be a text in quotes"),
        ("mqtt.topics = [{ qos = 1 }]", "mqtt.topics.filter: is missing: a topic filter"),
        ("mqtt.topics = [{ filter = 't', qos = 2 }]", &format!("mqtt.topics.qos = 2: {qos_2}")),
        ("mqtt.topics = [{ filter = 't', qos = 3 }]", "mqtt.topics.qos = 3: must be 0 or 1"),
        (
            "mqtt.topics = [{ filter = 't', Qos = 1 }]",
            "mqtt.topics.Qos: no such key; did you mean mqtt.topics.qos?",
        ),
        ("mqtt.qos = 2", &format!("mqtt.qos = 2: {qos_2}")),
        ("mqtt.topics = ['t', 'u', 't']", "mqtt.topics = 't': is there twice"),
        ("mqtt.topics = ['t/+', 't/a']", ""),
    ]);
}

#[test]
fn what_does_not_name_a_part_of_a_record_is_a_fault() {
    let pointer = "must be a JSON Pointer such as \"/data/temp\" (~0 for ~, ~1 for / in a name)";
    let name = "must be a name in snake_case, such as \"air_temperature\"";
    let level = "must have each placeholder as a whole level of the topic, as in \"a/{dev}/b\"";
    let template = |written: &str, fault: &str| {
        let line = format!("records.topic_template = '{written}'");
        check_lines(&[(&line, &format!("{line}: {fault}"))]);
    };
    template("a/{dev", level);
    template("a/dev}", level);
    template("a/{{dev}}", level);
    template("{dev}/{dev}", "must have {dev} only once");
    template("{Dev}", name);
    template("{}", level);
    template("dev-{dev}", level);
    template("{a}{b}", level);
    template("{dev}/#/a", "'#' must be the last level of a topic filter, and the whole level");
    check_lines(&[
        ("records.topic_template = 'sites/{site}/+/{dev}/#'", ""),
        ("records.device_pointer = 'a'", &format!("records.device_pointer = 'a': {pointer}")),
        ("records.tenant_pointer = '/a~2'", &format!("records.tenant_pointer = '/a~2': {pointer}")),
        (
            "records.sequence_pointer = '/a~'",
            &format!("records.sequence_pointer = '/a~': {pointer}"),
        ),
        ("records.sequence_pointer = '/a~0~1//'", ""),
        ("records.time_pointers = ['/a', 'b']", &format!("records.time_pointers = 'b': {pointer}")),
        (
            "records.time_pointers = '/a'",
            "records.time_pointers = '/a': must be a list of JSON Pointers",
        ),
    ]);
}

#[test]
fn a_mapping_that_makes_no_measurement_is_a_fault() {
    let field = |written: &str, fault: &str| {
        let line = format!("records.mapping = [{{ filter = 't', field = [{{ {written} }}] }}]");
        check_lines(&[(&line, fault)]);
    };
    let name = "must be a name in snake_case, such as \"air_temperature\"";
    field("pointer = '/a', name = 'a_1'", "");
    field("pointer = '', name = 'a', channel = 0, unit = 'Cel', scale = -1, offset = 1e3", "");
    field("name = 'a'", "records.mapping.field.pointer: is missing: a JSON Pointer to the value");
    field(
        "pointer = '/a'",
        "records.mapping.field.name: is missing: what the measurement is called",
    );
    let long = "a".repeat(129);
    field(
        &format!("pointer = '/a', name = '{long}'"),
        &format!("records.mapping.field.name = '{}…: {name}", "a".repeat(59)),
    );
    for wrong in ["", "A", "1a", "a-b", "a__b", "_a", "a_", "ä"] {
        field(
            &format!("pointer = '/a', name = '{wrong}'"),
            &format!("records.mapping.field.name = '{wrong}': {name}"),
        );
    }
    for (wrong, fault) in [
        ("channel = -1", "channel = -1: must be 0 to 65535"),
        ("unit = ''", "unit = '': must have 1 to 128 bytes and no control characters"),
        ("scale = 0.0", "scale = 0.0: must not be 0"),
        ("scale = inf", "scale = inf: must be a finite number"),
        ("scale = 1e999", "scale = 1e999: must be a finite number"),
        ("offset = nan", "offset = nan: must be a finite number"),
        ("type = 'int'", "type = 'int': must be \"number\" or \"boolean\" or \"text\""),
        ("offset = 1, type = 'text'", "offset = 1: is for numbers only"),
        ("colour = 'red'", "colour: no such key"),
    ] {
        field(
            &format!("pointer = '/a', name = 'a', {wrong}"),
            &format!("records.mapping.field.{fault}"),
        );
    }
    check_lines(&[
        ("records.mapping = 3", "records.mapping = 3: must be a list of tables"),
        ("records.mapping = [3]", "records.mapping = 3: must be a table: { key = value, … }"),
        (
            "records.mapping = [{}]",
            "records.mapping.filter: is missing: the topic filter that it is for",
        ),
        (
            "records.mapping = [{ filter = '+a' }]",
            "records.mapping.filter = '+a': '+' must be a whole level of a topic filter",
        ),
    ]);
}

#[test]
fn an_unknown_key_is_a_fault_that_says_which_was_probably_meant() {
    check_lines(&[
        ("batch.linger = 50", "batch.linger: no such key; did you mean batch.linger_ms?"),
        ("linger_ms = 50", "linger_ms: no such key; did you mean batch.linger_ms?"),
        ("steam.name = 's'", "steam: no such key; did you mean stream?"),
        ("stream.shard = 4", "stream.shard: no such key; did you mean stream.shards?"),
        ("zzz = 1", "zzz: no such key"),
        ("batch = 3", "batch = 3: must be a table: { key = value, … }"),
        ("state_dir = ''", "state_dir = '': must have 1 to 4095 bytes and no control characters"),
    ]);
}

#[test]
fn what_must_be_there_is_asked_for() {
    let client_id = "a fixed name of this gateway, unlike that of any other client of the broker";
    for (case, fault) in [
        (
            "mqtt.url!",
            "2: mqtt.url: is missing: where the broker is, such as \"mqtt://127.0.0.1:1883\""
                .to_owned(),
        ),
        ("mqtt.client_id!", format!("1: mqtt.client_id: is missing: {client_id}")),
        (
            "mqtt.topics!",
            "1: mqtt.topics: is missing: a list of topic filters, or else lanes".into(),
        ),
        (
            "stream.name!",
            "5: stream.name: is missing: the name of the stream, or else its arn".into(),
        ),
        (
            "stream.region!",
            "4: stream.region: is missing: the AWS region of the stream, such as \"eu-central-1\""
                .into(),
        ),
    ] {
        check(case, &[&fault]);
    }
}
