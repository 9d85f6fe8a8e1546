//! Leaves without a rule.

use super::*;

#[test]
fn scalars_are_measured_under_their_path() {
    for (payload, expected) in [
        (r#"{"t":21.40}"#, r#""m":[{"n":"t","v":21.40}]"#),
        (r#"{"t":-0.0e-2}"#, r#""m":[{"n":"t","v":-0.0e-2}]"#),
        (r#"{"n":12345678901234567890123}"#, r#""m":[{"n":"n","v":12345678901234567890123}]"#),
        (r#"{"on":true,"off":false}"#, r#""m":[{"n":"on","b":true},{"n":"off","b":false}]"#),
        (r#"{"s":"a \"b\" \u00e9"}"#, r#""m":[{"n":"s","s":"a \"b\" \u00e9"}]"#),
        (r#"{"a":{"b":{"c":1},"d":2}}"#, r#""m":[{"n":"a_b_c","v":1},{"n":"a_d","v":2}]"#),
        (r#"{"t":null,"a":{"b":null}}"#, ""),
        ("{}", ""),
        (r#""on""#, r#""m":[{"n":"value","s":"on"}]"#),
        (" true\r\n", r#""m":[{"n":"value","b":true}]"#),
        ("\t-7 ", r#""m":[{"n":"value","v":-7}]"#),
    ] {
        check_body(&records(), payload, expected);
    }
}

#[test]
fn names_are_snake_case() {
    for (key, name) in [
        ("temperature", "temperature"),
        ("temp_1", "temp_1"),
        ("batteryVoltage", "battery_voltage"),
        ("CO2Level", "co2_level"),
        ("HTTPServer", "http_server"),
        ("TempC_DS18B20", "temp_c_ds18_b20"),
        ("AM2301", "am2301"),
        ("pm2.5", "pm2_5"),
        ("wind-speed", "wind_speed"),
        ("Wind  Speed (m/s)", "wind_speed_m_s"),
        ("_id", "_id"),
        ("-x-", "x"),
        ("Température", "température"),
        ("ÄußereTemp", "äußere_temp"),
        ("温度", "温度"),
        ("°C", "c"),
        ("%", "unnamed"),
        ("", "unnamed"),
        ("a\\u0062", "ab"),
        ("a\\\"b\\n", "a_b"),
    ] {
        check_body(
            &records(),
            &format!(r#"{{"{key}":1}}"#),
            &format!(r#""m":[{{"n":"{name}","v":1}}]"#),
        );
    }
}

#[test]
fn arrays_are_kept_as_they_came_but_for_white_space() {
    for (payload, expected) in [
        (r#"{"fftBins":[1.50,2e3]}"#, r#""x":{"fft_bins":[1.50,2e3]}"#),
        (
            "{\"a\":{\"b\":[ 1 ,\n\t[ ] , {\"k e y\" : \"v \\\" [ \"}\r\n]}}",
            r#""x":{"a_b":[1,[],{"k e y":"v \" [ "}]}"#,
        ),
        (r#"{"a":["\\ ", " \\"]}"#, r#""x":{"a":["\\ "," \\"]}"#),
        (r#"{"a":[]}"#, r#""x":{"a":[]}"#),
    ] {
        check_body(&records(), payload, expected);
    }
}

#[test]
fn objects_inside_sixteen_others_are_kept_whole() {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let name = vec!["a"; 16].join("_");
    check_body(&records(), &nested(16), &format!(r#""m":[{{"n":"{name}","v":1}}]"#));
    check_body(&records(), &nested(18), &format!(r#""x":{{"{name}":{{"a":{{"a":1}}}}}}"#));
}

#[test]
fn names_that_meet_are_numbered_and_nothing_is_lost() {
    for (payload, expected) in [
        (
            r#"{"a":1,"a":2,"a":"x"}"#,
            r#""m":[{"n":"a","v":1},{"n":"a_2","v":2},{"n":"a_3","s":"x"}],"q":["name_repeated"]"#,
        ),
        (
            r#"{"aB":1,"a-b":2,"a":{"b":3}}"#,
            concat!(
                r#""m":[{"n":"a_b","v":1},{"n":"a_b_2","v":2},{"n":"a_b_3","v":3}],"#,
                r#""q":["name_repeated"]"#
            ),
        ),
        (
            r#"{"a_2":0,"a":1,"a":2,"a":3}"#,
            concat!(
                r#""m":[{"n":"a_2","v":0},{"n":"a","v":1},{"n":"a_3","v":2},{"n":"a_4","v":3}],"#,
                r#""q":["name_repeated"]"#
            ),
        ),
        (r#"{"a":1,"a":[2]}"#, r#""m":[{"n":"a","v":1}],"x":{"a_2":[2]},"q":["name_repeated"]"#),
        (r#"{"ts":1763692404,"ts":1763692405}"#, r#""x":{"ts":1763692405}"#),
    ] {
        check_body(&records(), payload, expected);
    }
}

#[test]
fn numbers_beyond_a_double_are_kept_as_text() {
    let digits = "9".repeat(400);
    for (payload, expected) in [
        (
            format!(r#"{{"n":{digits}}}"#),
            format!(r#""x":{{"n":"{digits}"}},"q":["number_as_text"]"#),
        ),
        (r#"{"n":1e999}"#.to_owned(), r#""x":{"n":"1e999"},"q":["number_as_text"]"#.to_owned()),
        (
            r#"{"n":[1, -1E+400]}"#.to_owned(),
            r#""x":{"n":"[1, -1E+400]"},"q":["number_as_text"]"#.to_owned(),
        ),
        (format!(r#"{{"n":0.{digits}}}"#), format!(r#""m":[{{"n":"n","v":0.{digits}}}]"#)),
        (r#"{"n":1e-999}"#.to_owned(), r#""m":[{"n":"n","v":1e-999}]"#.to_owned()),
        (
            r#"{"a":[true,{"$serde_json::private::RawValue":1},1e5]}"#.to_owned(),
            r#""x":{"a":[true,{"$serde_json::private::RawValue":1},1e5]}"#.to_owned(),
        ),
        (
            r#"{"a":["\"",{"b":1.5e+309}]}"#.to_owned(),
            r#""x":{"a":"[\"\\\"\",{\"b\":1.5e+309}]"},"q":["number_as_text"]"#.to_owned(),
        ),
        (r#"{"id":["7e999"]}"#.to_owned(), r#""x":{"id":["7e999"]}"#.to_owned()),
    ] {
        check_body(&records(), &payload, &expected);
    }
}

#[test]
fn keep_keeps_the_structure_without_what_was_used() {
    let records = Records {
        unmapped: Unmapped::Keep,
        sequence_pointer: Some("/meta/n".to_owned()),
        ..mapped(vec![rule("/air/temp", "temperature"), rule("/gps/0", "latitude")])
    };
    for (payload, expected) in [
        (
            r#"{"ts":1763692404,"meta":{"n":4,"fw":"1.2"},"air":{"temp":21.40,"Hum": 40}}"#,
            r#""seq":4,"m":[{"n":"temperature","v":21.40}],"x":{"meta":{"fw":"1.2"},"air":{"Hum":40}}"#,
        ),
        (r#"{"meta":{"n":4},"z":null}"#, r#""seq":4,"x":{"meta":{}}"#),
        (r#"{"gps":[52.5, 13.4]}"#, r#""m":[{"n":"latitude","v":52.5}],"x":{"gps":[52.5,13.4]}"#),
        (r#"{"A b":{"C":[ {} ]}}"#, r#""x":{"A b":{"C":[{}]}}"#),
        (r#"{"a":1,"a":2}"#, r#""x":{"a":1,"a_2":2},"q":["name_repeated"]"#),
        (
            r#"{"air":{"temp":{}},"air_temp":1}"#,
            r#""x":{"air":{},"air_temp":1,"air_temp_2":{}},"q":["type_mismatch","name_repeated"]"#,
        ),
        ("21.4", r#""x":{"value":21.4}"#),
    ] {
        check_body(&records, payload, expected);
    }
}

#[test]
fn drop_drops_all_but_what_is_used_or_unusable() {
    let records = Records {
        unmapped: Unmapped::Drop,
        ..mapped(vec![rule("/air/temp", "temperature"), rule("/gps/1", "longitude")])
    };
    check_body(
        &records,
        r#"{"ts":"soon","air":{"temp":21.40,"hum":40},"gps":[52.5,13.4],"big":[1],"x":"y"}"#,
        concat!(
            r#""m":[{"n":"temperature","v":21.40},{"n":"longitude","v":13.4}],"#,
            r#""x":{"ts":"soon"},"q":["ts_rejected"]"#
        ),
    );
    check_body(&records, "21.4", "");
}
