"""Drives the local stream with boto3, every action and every class of error.

Usage: local_stream_boto3.py ENDPOINT ARN PHASE

The Rust test that starts the stream runs one phase after another and changes the stream between
them. Any surprise is an uncaught exception, so the exit code tells.
"""

import json
import sys
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

STREAM = "telemetry"
MIB = 1 << 20


def connect(service="kinesis", key="key", secret="secret", token=None, region="us-east-1", **settings):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10, **settings
        ),
    )


def refused(error_class, call, **parameters):
    """The message of the refusal, which must be botocore's own class of that error if it has one."""
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == error_class, error
        modelled = error_class in dir(kinesis.exceptions)
        assert not modelled or isinstance(error, getattr(kinesis.exceptions, error_class)), error
        assert error.response["ResponseMetadata"]["RequestId"]
        return error.response["Error"]["Message"]
    raise AssertionError(f"not refused with {error_class}: {parameters}")


def pages(shard, limit=None, **start):
    """All records of a shard, and the answer that ended the reading: the last of a closed shard,
    or the first that had nothing more."""
    iterator = kinesis.get_shard_iterator(StreamName=STREAM, ShardId=shard, **start)["ShardIterator"]
    records = []
    while True:
        asked = {"Limit": limit} if limit else {}
        answer = kinesis.get_records(ShardIterator=iterator, **asked)
        assert limit is None or len(answer["Records"]) <= limit
        records += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if iterator is None or not answer["Records"]:
            return records, answer


def write_and_read():
    summary = kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]
    assert summary["StreamARN"] == ARN and summary["StreamStatus"] == "ACTIVE", summary
    assert summary["OpenShardCount"] == 4 and summary["MaxRecordSizeInKiB"] == 1024, summary
    assert summary["StreamModeDetails"]["StreamMode"] == "PROVISIONED", summary

    # Not by boto3's paginator: it repeats the StreamName, which the service refuses.
    page = kinesis.list_shards(StreamName=STREAM, MaxResults=3)
    shards = page["Shards"]
    assert len(shards) == 3
    page = kinesis.list_shards(NextToken=page["NextToken"])
    shards += page["Shards"]
    assert "NextToken" not in page
    assert [shard["ShardId"] for shard in shards] == [f"shardId-{n:012}" for n in range(4)]
    starts = [int(shard["HashKeyRange"]["StartingHashKey"]) for shard in shards]
    assert starts == [n << 126 for n in range(4)], starts

    sent = {f"device-{n}": f"reading {n} \N{DEGREE SIGN}".encode() + bytes([0, 255]) for n in range(300)}
    answer = kinesis.put_records(
        StreamARN=ARN, Records=[{"PartitionKey": key, "Data": data} for key, data in sent.items()]
    )
    assert answer["FailedRecordCount"] == 0, answer
    told = {key: (verdict["ShardId"], verdict["SequenceNumber"])
            for key, verdict in zip(sent, answer["Records"])}

    single = kinesis.put_record(StreamName=STREAM, PartitionKey='quote" \\ \N{SNOWMAN}', Data=b"")
    read = {}
    for shard in shards:
        records, last = pages(shard["ShardId"], limit=7, ShardIteratorType="TRIM_HORIZON")
        assert last["MillisBehindLatest"] == 0 and "NextShardIterator" in last
        numbers = [int(record["SequenceNumber"]) for record in records]
        assert numbers == sorted(set(numbers)), "numbers grow within a shard"
        for record in records:
            read[record["PartitionKey"]] = record["Data"]
            if record["PartitionKey"] in told:
                assert told[record["PartitionKey"]] == (shard["ShardId"], record["SequenceNumber"])
            else:
                assert record["SequenceNumber"] == single["SequenceNumber"]
    assert read == sent | {'quote" \\ \N{SNOWMAN}': b""}

    shard = shards[0]["ShardId"]
    records, _ = pages(shard, ShardIteratorType="TRIM_HORIZON")
    third = records[2]["SequenceNumber"]
    at, _ = pages(shard, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=third)
    after, _ = pages(shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=third)
    assert at == records[2:] and after == records[3:]
    latest = kinesis.get_shard_iterator(StreamName=STREAM, ShardId=shard, ShardIteratorType="LATEST")
    kinesis.put_record(StreamName=STREAM, PartitionKey="late", ExplicitHashKey="0", Data=b"late")
    fresh = kinesis.get_records(ShardIterator=latest["ShardIterator"])["Records"]
    assert [record["Data"] for record in fresh] == [b"late"], fresh


def errors():
    page = kinesis.list_shards(StreamName=STREAM, MaxResults=1)
    both = {"StreamName": STREAM, "NextToken": page["NextToken"]}
    refused("InvalidArgumentException", kinesis.list_shards, **both)
    one = {"StreamName": STREAM, "Records": [{"PartitionKey": "a", "Data": b"x"}]}
    text = refused("ResourceNotFoundException", kinesis.put_records, **one | {"StreamName": "other"})
    assert text == "Stream other under account 000000000000 not found.", text
    refused("ResourceNotFoundException", kinesis.describe_stream_summary, StreamName="other")
    refused("ResourceNotFoundException", kinesis.list_shards, StreamName="other")
    refused("InvalidArgumentException", kinesis.put_records, Records=one["Records"])

    text = refused("ValidationException", kinesis.put_records, **one | {"Records": one["Records"] * 501})
    assert "at 'records'" in text and text.endswith("less than or equal to 500"), text
    many = [{"PartitionKey": "k" * 257, "Data": b"x"}] * 2
    text = refused("ValidationException", kinesis.put_records, **one | {"Records": many})
    assert text.startswith("2 validation errors detected: ") and "'records.2.member.partitionKey'" in text
    large = {"PartitionKey": "a", "Data": bytes(MIB)}
    refused("ValidationException", kinesis.put_record, StreamName=STREAM, **large)
    full = [{"PartitionKey": "a", "Data": bytes(MIB - 1)}] * 11
    text = refused("InvalidArgumentException", kinesis.put_records, **one | {"Records": full})
    assert text == "Records size exceeds 10 MB limit", text

    def iterator(**parameters):
        return refused(
            parameters.pop("error", "InvalidArgumentException"),
            kinesis.get_shard_iterator,
            **{"StreamName": STREAM, "ShardId": "shardId-000000000000"} | parameters,
        )

    iterator(ShardIteratorType="AT_SEQUENCE_NUMBER")
    iterator(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="12")
    elsewhere = kinesis.put_record(
        StreamName=STREAM, PartitionKey="a", ExplicitHashKey=str(2**128 - 1), Data=b""
    )
    text = iterator(
        ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=elsewhere["SequenceNumber"]
    )
    assert text.startswith("Invalid StartingSequenceNumber. It encodes shardId-000000000003"), text
    missing = {"ShardIteratorType": "LATEST", "ShardId": "shardId-000000000099"}
    iterator(error="ResourceNotFoundException", **missing)
    refused("InvalidArgumentException", kinesis.get_records, ShardIterator="rubbish")
    refused("UnknownOperationException", kinesis.delete_stream, StreamName=STREAM)


def raw_errors():
    """What no SDK lets happen."""

    def post(body, target="Kinesis_20131202.PutRecords", authorization="AWS4-HMAC-SHA256 Credential=key"):
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        if authorization:
            headers["Authorization"] = authorization
        request = urllib.request.Request(ENDPOINT, body, headers, method="POST")
        try:
            urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            assert error.headers["Content-Type"] == "application/x-amz-json-1.1"
            assert error.headers["x-amzn-RequestId"] and error.headers["Date"]
            text = error.read()
            return error.code, json.loads(text)["__type"] if text.startswith(b"{") else "a page"
        raise AssertionError("not refused")

    for body in (b"", b"{", b"[]", b'{"Records": 7}', b'{"Records": [{"PartitionKey": "a", "Data": "x"}]}',
                 b'{"Records": [{"PartitionKey": "a", "Data": "\xff"}]}'):
        assert post(body) == (400, "SerializationException"), body
    assert post(b"{}") == (400, "ValidationException")
    missing = b'{"StreamName": "telemetry", "Records": [{"PartitionKey": "a"}, {"Data": ""}]}'
    assert post(missing) == (400, "ValidationException")
    assert post(b"{}", authorization=None) == (400, "MissingAuthenticationTokenException")
    assert post(b"{}", target="Kinesis_20131202.Nonsense") == (400, "UnknownOperationException")
    assert post(bytes(17 * MIB)) == (413, "a page")


def throttled():
    record = {"PartitionKey": "a", "ExplicitHashKey": "0", "Data": b"x"}
    other = {"PartitionKey": "b", "ExplicitHashKey": str(2**128 - 1), "Data": b"x"}
    answer = kinesis.put_records(StreamName=STREAM, Records=[record, other, record])
    text = (
        "Rate exceeded for shard shardId-000000000000 in stream telemetry under account 000000000000."
    )
    refusal = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": text}
    assert answer["FailedRecordCount"] == 2, answer
    assert answer["Records"][0] == refusal and answer["Records"][2] == refusal, answer
    assert answer["Records"][1]["ShardId"] == "shardId-000000000003", answer
    refused("ProvisionedThroughputExceededException", kinesis.put_record, StreamName=STREAM, **record)


def put_only():
    kinesis.put_record(StreamName=STREAM, PartitionKey="a", Data=b"x")
    kinesis.put_records(StreamName=STREAM, Records=[{"PartitionKey": "a", "Data": b"x"}])
    shard = {"StreamName": STREAM, "ShardId": "shardId-000000000000"}
    for action, call, parameters in (
        ("DescribeStreamSummary", kinesis.describe_stream_summary, {"StreamName": STREAM}),
        ("ListShards", kinesis.list_shards, {"StreamName": STREAM}),
        ("GetShardIterator", kinesis.get_shard_iterator, shard | {"ShardIteratorType": "LATEST"}),
        ("GetRecords", kinesis.get_records, {"ShardIterator": "any"}),
    ):
        text = refused("AccessDeniedException", call, **parameters)
        assert f"not authorized to perform: kinesis:{action} on resource: {ARN}" in text, text


def resharded():
    """Shard 0 was split into 4 and 5, shards 2 and 3 merged into 6."""
    shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]}
    assert len(shards) == 7, shards
    low, high, merged = (shards[f"shardId-{n:012}"] for n in (4, 5, 6))
    assert low["ParentShardId"] == high["ParentShardId"] == "shardId-000000000000"
    assert merged["ParentShardId"] == "shardId-000000000002"
    assert merged["AdjacentParentShardId"] == "shardId-000000000003"
    assert int(low["HashKeyRange"]["EndingHashKey"]) + 1 == int(high["HashKeyRange"]["StartingHashKey"])
    opened = kinesis.list_shards(StreamName=STREAM, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [shard["ShardId"][-1] for shard in opened] == ["1", "4", "5", "6"], opened

    old, last = pages("shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    assert old and "NextShardIterator" not in last
    assert [child["ShardId"][-1] for child in last["ChildShards"]] == ["4", "5"], last
    new = kinesis.put_record(StreamName=STREAM, PartitionKey="a", ExplicitHashKey="0", Data=b"new")
    assert new["ShardId"] == "shardId-000000000004"
    assert int(new["SequenceNumber"]) > max(int(record["SequenceNumber"]) for record in old)


RECORD = {"StreamName": STREAM, "PartitionKey": "a", "Data": b"x"}
ROLE = {"RoleArn": "arn:aws:iam::000000000000:role/writer", "RoleSessionName": "boto3"}
EXTERNAL = {"ExternalId": "agreed & <signed>"}


def signed():
    """The account has the key `key` with the secret `secret` and no other."""
    kinesis.put_record(**RECORD)
    text = refused("InvalidSignatureException", connect(secret="Secret").put_record, **RECORD)
    assert "does not match the signature you provided" in text, text
    for wrong in ({"key": "other"}, {"token": "made up"}):
        text = refused("UnrecognizedClientException", connect(**wrong).put_record, **RECORD)
        assert text == "The security token included in the request is invalid.", text
    refused("ResourceNotFoundException", connect(region="eu-west-1").put_record, **RECORD)

    sts = connect("sts", region="eu-west-1")
    identity = sts.get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:user/gateway", identity
    assert identity["Account"] == "000000000000" and identity["UserId"], identity
    refused("SignatureDoesNotMatch", connect("sts", secret="Secret").get_caller_identity)
    text = refused("InvalidClientTokenId", connect("sts", key="other").get_caller_identity)
    assert text == "The security token included in the request is invalid.", text
    text = refused("InvalidAction", sts.get_session_token)
    assert text == "Could not find operation GetSessionToken for version 2011-06-15", text


def roles():
    """The role trusts the key with the external id, and the web identity `the token`."""
    sts = connect("sts", parameter_validation=False)
    denied = (
        "User: arn:aws:iam::000000000000:user/gateway is not authorized to perform: "
        f"sts:AssumeRole on resource: {ROLE['RoleArn']}"
    )
    for wrong in ({}, {"ExternalId": "agreed"}):
        assert refused("AccessDenied", sts.assume_role, **ROLE | wrong) == denied
    nowhere = ROLE | EXTERNAL | {"RoleArn": ROLE["RoleArn"] + "s"}
    assert refused("AccessDenied", sts.assume_role, **nowhere) == denied + "s"
    text = refused("ValidationError", sts.assume_role, **ROLE | EXTERNAL, DurationSeconds=3601)
    assert text.endswith("exceeds the MaxSessionDuration set for this role."), text
    text = refused("ValidationError", sts.assume_role, **ROLE | EXTERNAL, DurationSeconds=899)
    assert "'durationSeconds'" in text and text.endswith("greater than or equal to 900"), text
    text = refused("ValidationError", sts.assume_role, **ROLE | EXTERNAL | {"RoleSessionName": "a b"})
    assert "Value 'a b' at 'roleSessionName'" in text, text

    asked = time.time()
    answer = sts.assume_role(**ROLE, **EXTERNAL, DurationSeconds=900)
    lasts = answer["Credentials"]["Expiration"].timestamp() - asked
    assert 890 < lasts < 930, lasts
    assert answer["AssumedRoleUser"]["Arn"] == writes(answer)

    guess = {"WebIdentityToken": "a guess"}
    refused("InvalidIdentityToken", sts.assume_role_with_web_identity, **ROLE, **guess)
    token = {"WebIdentityToken": "the token"}
    elsewhere = ROLE | {"RoleArn": ROLE["RoleArn"] + "s"} | token
    refused("AccessDenied", sts.assume_role_with_web_identity, **elsewhere)
    writes(sts.assume_role_with_web_identity(**ROLE, **token))


def writes(assumed):
    """Who the session stands for, once it has been seen to write and to be refused the rest."""
    given = assumed["Credentials"]
    session = {"key": given["AccessKeyId"], "secret": given["SecretAccessKey"]}
    who = "arn:aws:sts::000000000000:assumed-role/writer/boto3"
    writer = connect(**session, token=given["SessionToken"])
    writer.put_record(**RECORD)
    text = refused("AccessDeniedException", writer.list_shards, StreamName=STREAM)
    assert text.startswith(f"User: {who} is not authorized to perform: kinesis:ListShards"), text
    refused("UnrecognizedClientException", connect(**session).put_record, **RECORD)
    identity = connect("sts", **session, token=given["SessionToken"]).get_caller_identity()
    assert identity["Arn"] == who, identity
    return who


def form():
    """What no SDK lets happen: a form that is not signed."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    request = urllib.request.Request(ENDPOINT, body, method="POST")
    try:
        urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        assert error.code == 403 and error.headers["Content-Type"] == "text/xml", error.headers
        assert b"<Code>MissingAuthenticationToken</Code>" in error.read()
        return
    raise AssertionError("not refused")


def revoked():
    refused("UnrecognizedClientException", kinesis.put_record, **RECORD)
    refused("InvalidClientTokenId", connect("sts").get_caller_identity)


PHASES = (
    *(write_and_read, errors, raw_errors, throttled, put_only, resharded),
    *(signed, roles, form, revoked),
)

if __name__ == "__main__":
    ENDPOINT, ARN, phase = sys.argv[1:]
    kinesis = connect()
    {phase.__name__: phase for phase in PHASES}[phase]()
