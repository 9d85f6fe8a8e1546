//! Which stream it is: name, ARN, region.

use super::{check, check_lines};

#[test]
fn a_stream_that_cannot_exist_is_a_fault() {
    let name = "must be 1 to 128 letters, digits, underscores, dots and hyphens";
    let region = "must be an AWS region such as \"eu-central-1\"";
    check_lines(&[
        ("stream.name = ''", &format!("stream.name = '': {name}")),
        ("stream.name = 'a b'", &format!("stream.name = 'a b': {name}")),
        ("stream.region = 'EU'", &format!("stream.region = 'EU': {region}")),
        ("stream.region = 'frankfurt'", &format!("stream.region = 'frankfurt': {region}")),
        ("stream.region = 'eu-central'", &format!("stream.region = 'eu-central': {region}")),
        ("stream.region = '-1'", &format!("stream.region = '-1': {region}")),
        ("stream.region = 'us-gov-west-1'", ""),
        (
            "stream.region = 'eu-central-1a'",
            "stream.region = 'eu-central-1a': is that of a zone: the region is \"eu-central-1\"",
        ),
        (
            "stream.endpoint = 'ftp://e'",
            "stream.endpoint = 'ftp://e': must be a URL such as \"https://kinesis.example:4567\"",
        ),
        (
            "stream.partition_key = '{dev}-{site}'",
            "stream.partition_key = '{dev}-{site}': has {site}, but knows only {dev}, {tenant} \
             and {topic}",
        ),
        (
            "stream.partition_key = '{tenant}'",
            "stream.partition_key = '{tenant}': must hold {dev} or {topic}: records keep their order \
             within a partition key, and one key for many devices puts them all on one shard",
        ),
        ("stream.partition_key = '{tenant}/{dev}'", ""),
    ]);
    let arn = "must be the ARN of a stream: arn:aws:kinesis:<region>:<account>:stream/<name>";
    for wrong in [
        "arn:aws:kinesis:eu-central-1:1234:stream/s",
        "arn:aws:kinesis:eu-central-1:123456789012:s",
        "arn:aws:sqs:eu-central-1:123456789012:stream/s",
        "arn:azure:kinesis:eu-central-1:123456789012:stream/s",
        "stream/s",
        "arn:aws:kinesis:eu-central-1:123456789012:stream/s ",
        "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c",
    ] {
        let shown: String = format!("'{wrong}'");
        check(
            &format!("stream.name!\nstream.arn = '{wrong}'"),
            &[&format!("6: stream.arn = {shown}: {arn}")],
        );
    }
    let arn = "'arn:aws:kinesis:eu-central-1:123456789012:stream/s'";
    let why = "is an ARN: say it as arn = …, in the place of name";
    let case = format!("stream.region!\nstream.name = {arn}");
    check(&case, &[&format!("6: stream.name = {arn}: {why}")]);
}
