//! Who is allowed what, and what is said of requests that cannot be granted.

use std::num::NonZeroU32;

use super::arn::{Account, ExternalId, KeyArn, Principal, RoleArn, StreamArn, partition};
use super::{Fault, Grant, Holds, Request, Stream, Trusted, Whom, grant, statement};
use crate::config::StreamTarget;

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OPERATOR: &str = "arn:aws:iam::999999999999:user/tidegate-operator";

fn stream(name: &str, holds: Holds) -> Stream {
    let account = Account::Id("111122223333".to_owned());
    let arn = StreamArn { region: "eu-central-1".to_owned(), account, name: name.to_owned() };
    Stream { arn, holds }
}

/// For a gateway with one stream and its dead letters.
fn request(whom: Whom) -> Request {
    let streams = [stream("pumps", Holds::Records), stream("letters", Holds::DeadLetters)];
    Request {
        whom,
        label: "pumps".to_owned(),
        role: None,
        streams: streams.into_iter().filter(|stream| whom.gets(stream.holds)).collect(),
        keys: Vec::new(),
        with_optional: false,
        trusted: match whom {
            Whom::Role => Trusted {
                principal: Some(Principal::parse(OPERATOR).unwrap()),
                external_id: Some(ExternalId::parse("customer-7").unwrap()),
                without_external_id: false,
            },
            Whom::User | Whom::Consumer | Whom::Firehose => Trusted::default(),
        },
        shards: None,
    }
}

/// What is allowed, as `action resource` a line, statement by statement.
fn allowed(grant: &Grant) -> Vec<String> {
    let statements = grant.permissions.statements.iter();
    let lines = statements.flat_map(|statement| {
        statement.actions.iter().flat_map(|action| {
            statement.resources.iter().map(move |resource| {
                let resource = resource.rsplit(':').next().unwrap();
                format!("{action} {resource}")
            })
        })
    });
    lines.collect()
}

fn faults(request: &Request) -> Vec<Fault> {
    grant(request).unwrap_err()
}

#[test]
fn a_gateway_may_put_records_and_dead_letters_and_do_nothing_else() {
    let puts = ["kinesis:PutRecords stream/pumps", "kinesis:PutRecords stream/letters"];
    for whom in [Whom::User, Whom::Role] {
        assert_eq!(allowed(&grant(&request(whom)).unwrap()), puts);
    }
}

#[test]
fn a_statement_alone_is_what_a_policy_would_hold() {
    let granted = grant(&request(Whom::User)).unwrap();
    let arns: Vec<_> = request(Whom::User).streams.into_iter().map(|stream| stream.arn).collect();
    let alone: serde_json::Value = serde_json::from_str(&statement::put(&arns).json()).unwrap();
    assert_eq!(alone, serde_json::to_value(granted.permissions).unwrap()["Statement"][0]);
}

#[test]
fn what_is_of_use_is_a_statement_of_its_own() {
    let granted = grant(&Request { with_optional: true, ..request(Whom::User) }).unwrap();
    let sids: Vec<_> = granted.permissions.statements.iter().map(|one| one.sid.as_str()).collect();
    assert_eq!(sids, ["PutRecords", "DescribeAndList"]);
    assert_eq!(
        &allowed(&granted)[2..],
        [
            "kinesis:DescribeStreamSummary stream/pumps",
            "kinesis:DescribeStreamSummary stream/letters",
            "kinesis:ListShards stream/pumps",
            "kinesis:ListShards stream/letters",
        ]
    );
}

#[test]
fn who_reads_reads_records_and_no_dead_letters() {
    let consumer = Request { with_optional: true, ..request(Whom::Consumer) };
    assert_eq!(
        allowed(&grant(&consumer).unwrap()),
        [
            "kinesis:DescribeStreamSummary stream/pumps",
            "kinesis:GetRecords stream/pumps",
            "kinesis:GetShardIterator stream/pumps",
            "kinesis:ListShards stream/pumps",
            "kinesis:SubscribeToShard stream/pumps/consumer/*",
        ]
    );
    assert_eq!(
        allowed(&grant(&request(Whom::Firehose)).unwrap()),
        [
            "kinesis:DescribeStream stream/pumps",
            "kinesis:GetRecords stream/pumps",
            "kinesis:GetShardIterator stream/pumps",
            "kinesis:ListShards stream/pumps",
        ]
    );
}

#[test]
fn a_key_is_used_through_kinesis_and_for_the_streams_alone() {
    for (whom, action) in [(Whom::User, "kms:GenerateDataKey"), (Whom::Consumer, "kms:Decrypt")] {
        let keys = vec![KeyArn::parse(KEY).unwrap()];
        let granted = grant(&Request { keys, ..request(whom) }).unwrap();
        let statement = granted.permissions.statements.last().unwrap();
        assert_eq!(
            (&statement.actions[..], &statement.resources[..]),
            (&[action][..], &[KEY.to_owned()][..])
        );
        let equals = &statement.conditions["StringEquals"];
        assert_eq!(equals["kms:ViaService"].0, ["kinesis.eu-central-1.amazonaws.com"]);
        let mut streams = vec!["arn:aws:kinesis:eu-central-1:111122223333:stream/pumps"];
        if whom == Whom::User {
            streams.push("arn:aws:kinesis:eu-central-1:111122223333:stream/letters");
        }
        assert_eq!(equals["kms:EncryptionContext:aws:kinesis:arn"].0, streams);
        assert!(granted.notes[0].contains("policy of the KMS key"));
    }
}

#[test]
fn any_account_is_a_pattern_and_said_aloud() {
    let mut request = request(Whom::User);
    request.streams.iter_mut().for_each(|stream| stream.arn.account = Account::Any);
    request.keys = vec![KeyArn::parse(KEY).unwrap()];
    let granted = grant(&request).unwrap();
    let [put, encrypt] = &granted.permissions.statements[..] else { panic!("{granted:?}") };
    assert_eq!(put.resources[0], "arn:aws:kinesis:eu-central-1:*:stream/pumps");
    let like = &encrypt.conditions["StringLike"]["kms:EncryptionContext:aws:kinesis:arn"];
    assert_eq!(like.0, put.resources);
    assert!(granted.notes[0].contains("any account"), "{:?}", granted.notes);
    assert_eq!(granted.account, None);
}

#[test]
fn a_key_of_another_region_is_for_the_streams_there() {
    let mut request = request(Whom::User);
    request.streams[1].arn.region = "us-east-1".to_owned();
    let other = KEY.replace("eu-central-1", "us-east-1");
    request.keys = [KEY, &other].map(|key| KeyArn::parse(key).unwrap()).to_vec();
    let granted = grant(&request).unwrap();
    let streams: Vec<_> = granted.permissions.statements[1..]
        .iter()
        .map(|one| {
            let contexts = &one.conditions["StringEquals"]["kms:EncryptionContext:aws:kinesis:arn"];
            (one.sid.as_str(), contexts.0.len(), contexts.0[0].rsplit('/').next().unwrap())
        })
        .collect();
    assert_eq!(streams, [("EncryptRecords", 1, "pumps"), ("EncryptRecords2", 1, "letters")]);
}

#[test]
fn the_partition_is_that_of_the_region() {
    let regions = [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ];
    for (region, of_region) in regions {
        assert_eq!(partition(region), of_region);
        let mut request = request(Whom::Role);
        request.streams.iter_mut().for_each(|stream| stream.arn.region = region.to_owned());
        request.trusted.principal = Some(Principal::Account("999999999999".to_owned()));
        let key = format!("arn:{of_region}:kms:{region}:111122223333:key/mrk-1");
        request.keys = vec![KeyArn::parse(&key).unwrap()];
        let texts = [
            grant(&request).unwrap().json(),
            super::script::of(&grant(&request).unwrap()),
            super::terraform::of(&grant(&request).unwrap()),
        ];
        for text in texts {
            let arns = text.matches("arn:aws").count();
            assert_eq!(arns, text.matches(&format!("arn:{of_region}:")).count(), "{text}");
        }
    }
}

#[test]
fn kms_in_china_may_know_kinesis_by_either_domain() {
    let stream = StreamArn {
        region: "cn-north-1".to_owned(),
        account: Account::Any,
        name: "pumps".to_owned(),
    };
    let key = KeyArn::parse("arn:aws-cn:kms:cn-north-1:111122223333:key/1").unwrap();
    let via = &statement::encrypt(&key, &[stream]).conditions["StringEquals"]["kms:ViaService"];
    assert_eq!(via.0, ["kinesis.cn-north-1.amazonaws.com", "kinesis.cn-north-1.amazonaws.com.cn"]);
}

#[test]
fn a_role_is_for_one_principal_who_says_the_external_id() {
    let granted = grant(&request(Whom::Role)).unwrap();
    let trust = serde_json::to_value(granted.trust.unwrap()).unwrap();
    let expected = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "AssumeRole",
            "Effect": "Allow",
            "Principal": { "AWS": OPERATOR },
            "Action": ["sts:AssumeRole"],
            "Condition": { "StringEquals": { "sts:ExternalId": "customer-7" } },
        }],
    });
    assert_eq!(trust, expected);
}

#[test]
fn a_role_of_an_instance_needs_no_external_id_and_takes_none() {
    let mut request = request(Whom::Role);
    request.trusted.principal = Some(Principal::Service("ec2.amazonaws.com".to_owned()));
    assert_eq!(faults(&request), [Fault::ExternalIdOfService("ec2.amazonaws.com".to_owned())]);
    request.trusted.external_id = None;
    let granted = grant(&request).unwrap();
    let trust = granted.trust.as_ref().unwrap().json();
    assert!(trust.contains(r#""Service": "ec2.amazonaws.com""#) && !trust.contains("Condition"));
    for text in [super::script::of(&granted), super::terraform::of(&granted)] {
        assert!(text.contains("instance-profile") || text.contains("instance_profile"), "{text}");
    }
}

#[test]
fn a_role_that_anybody_could_be_talked_into_is_refused() {
    let mut request = request(Whom::Role);
    request.trusted.external_id = None;
    assert_eq!(faults(&request), [Fault::ExternalIdMissing]);
    request.trusted.without_external_id = true;
    assert!(grant(&request).is_ok());
    request.trusted.principal = None;
    assert_eq!(faults(&request), [Fault::PrincipalMissing]);
    for nobody in ["*", "arn:aws:iam::999999999999:*", "arn:aws:iam::*:root", "12345678901", ""] {
        Principal::parse(nobody).unwrap_err();
    }
    for somebody in [
        "123456789012",
        "arn:aws-cn:iam::123456789012:root",
        "arn:aws:iam::123456789012:role/path/to/gateway",
        "arn:aws:sts::123456789012:assumed-role/gateway/session",
        "ecs-tasks.amazonaws.com",
        "ec2.amazonaws.com.cn",
    ] {
        Principal::parse(somebody).unwrap();
    }
}

#[test]
fn firehose_assumes_its_role_for_the_account_alone() {
    let granted = grant(&request(Whom::Firehose)).unwrap();
    let trust = granted.trust.unwrap().json();
    assert!(trust.contains(r#""Service": "firehose.amazonaws.com""#), "{trust}");
    assert!(trust.contains(r#""sts:ExternalId": "111122223333""#), "{trust}");
    let mut any = request(Whom::Firehose);
    any.streams[0].arn.account = Account::Any;
    assert_eq!(faults(&any), [Fault::FirehoseAccount]);
}

#[test]
fn every_fault_of_a_request_is_told_at_once() {
    let mut request = request(Whom::Consumer);
    request.keys = vec![KeyArn::parse(&KEY.replace("eu-central-1", "eu-west-1")).unwrap()];
    request.trusted.without_external_id = true;
    request.shards = Some(NonZeroU32::MIN);
    let mut second = stream("valves", Holds::Records);
    second.arn.region = "cn-north-1".to_owned();
    second.arn.account = Account::Any;
    request.streams.push(second);
    let said = faults(&request);
    let [
        Fault::SeveralPartitions(partitions),
        Fault::KeyElsewhere { .. },
        Fault::PlanForReader,
        Fault::PlanForSeveral(2),
        Fault::PlanForAny,
        Fault::NoRole,
    ] = &said[..]
    else {
        panic!("{said:#?}")
    };
    assert_eq!(partitions, &["aws", "aws-cn"]);
}

#[test]
fn nobody_assumes_a_role_across_partitions() {
    let mut request = request(Whom::Role);
    let chinese = Principal::parse(&OPERATOR.replace("arn:aws:", "arn:aws-cn:")).unwrap();
    request.trusted.principal = Some(chinese.clone());
    assert_eq!(faults(&request), [Fault::PrincipalElsewhere(chinese, "eu-central-1".to_owned())]);
}

#[test]
fn a_policy_longer_than_iam_takes_is_refused_with_its_length() {
    let mut request = request(Whom::User);
    request.streams = (0..40).map(|n| stream(&format!("stream-{n:04}"), Holds::Records)).collect();
    let said = faults(&request);
    let [Fault::TooLong { chars, chars_max: 2_048 }] = said[..] else { panic!("{said:?}") };
    // A role may have five times as much.
    request.whom = Whom::Role;
    request.trusted = self::request(Whom::Role).trusted;
    let granted = grant(&request).unwrap();
    let compact = serde_json::to_string(&granted.permissions).unwrap();
    assert_eq!((granted.permissions.chars(), compact.len()), (chars, chars));
    request.streams.truncate(20);
    request.whom = Whom::User;
    request.trusted = Trusted::default();
    assert!(grant(&request).unwrap().permissions.chars() <= 2_048);
}

#[test]
fn names_fit_into_iam_whatever_the_stream_is_called() {
    for whom in [Whom::User, Whom::Role, Whom::Consumer, Whom::Firehose] {
        let mut request = request(whom);
        assert!(grant(&request).unwrap().name.starts_with("tidegate-pumps"));
        request.label = "s".repeat(128);
        assert_eq!(grant(&request).unwrap().name.len(), 64);
    }
}

#[test]
fn a_stream_known_by_name_needs_its_account() {
    let target = StreamTarget::Name("pumps".to_owned());
    let fault = StreamArn::of("stream.name", &target, "eu-central-1", None).unwrap_err();
    assert!(matches!(&fault, Fault::AccountUnknown { key, .. } if key == "stream.name"));
    assert!(fault.to_string().contains("--account with the 12 digits"), "{fault}");
    let any = StreamArn::of("stream.name", &target, "eu-central-1", Some(&Account::Any)).unwrap();
    assert_eq!(any.to_string(), "arn:aws:kinesis:eu-central-1:*:stream/pumps");
}

#[test]
fn an_arn_is_taken_as_it_is_unless_it_contradicts_itself() {
    let of = |arn: &str| {
        let target = StreamTarget::Arn(arn.to_owned());
        StreamArn::of("stream.arn", &target, "eu-central-1", None)
    };
    let arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/pumps";
    assert_eq!(of(arn).unwrap().to_string(), arn);
    let fault = of(&arn.replace("aws-cn", "aws")).unwrap_err();
    assert!(matches!(fault, Fault::StreamArn { .. }), "{fault:?}");
}

#[test]
fn a_key_is_named_by_its_own_arn() {
    let alias = KeyArn::parse("arn:aws:kms:eu-central-1:111122223333:alias/aws/kinesis");
    assert!(alias.unwrap_err().contains("describe-key --key-id alias/aws/kinesis"));
    for other in [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:111122223333:key/",
        "arn:aws:kms:eu-central-1:111122223333:key/*",
        "arn:aws:kms:cn-north-1:111122223333:key/1",
        "arn:aws:s3:eu-central-1:111122223333:key/1",
    ] {
        assert!(KeyArn::parse(other).unwrap_err().contains("must be the ARN of a key"), "{other}");
    }
}

#[test]
fn accounts_and_external_ids_are_what_aws_takes() {
    assert_eq!(Account::parse("111122223333").unwrap().id(), Some("111122223333"));
    assert_eq!(Account::parse("*").unwrap(), Account::Any);
    for wrong in ["", "11112222333", "1111222233334", "1111-2222-3333", "**"] {
        Account::parse(wrong).unwrap_err();
    }
    ExternalId::parse("a:b/c_d+e=f,g.h@i-1").unwrap();
    ExternalId::parse(&"x".repeat(1_224)).unwrap();
    for wrong in ["x", "", "a b", "ä1", "$x", &"x".repeat(1_225)] {
        ExternalId::parse(wrong).unwrap_err();
    }
}

#[test]
fn a_role_is_read_with_its_path() {
    for (resource, path, name) in [("r", None, "r"), ("a/b/r", Some("/a/b/"), "r")] {
        let role = RoleArn::parse(&format!("arn:aws:iam::111122223333:role/{resource}")).unwrap();
        assert_eq!((role.path.as_deref(), role.name.as_str()), (path, name));
    }
    assert_eq!(RoleArn::parse("arn:aws:iam::111122223333:role/a/"), None);
}
