"""Plays scripts of AWS CLI commands to moto through boto3, and tells what is there after each.

On standard input a JSON list of a command's arguments a line, with an empty line between scripts; out
goes a JSON object a line. boto3 refuses
parameters that there are not, moto refuses policies that IAM would.
"""

import json
import sys

import boto3
from botocore import xform_name
from moto import mock_aws


def client(service, region):
    key = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    return boto3.client(service, region_name=region, **key)


def value(shape, text):
    if shape.type_name == "integer":
        return int(text)
    if shape.type_name == "structure":
        return dict(pair.split("=") for pair in text.split(","))
    return text


def play(service, command, *words):
    waits = command == "wait"
    command, words = (words[0], words[1:]) if waits else (command, words)
    options = dict(zip(words[::2], words[1::2], strict=True))
    aws = client(service, options.pop("--region"))
    for of_output in ("--query", "--output"):
        options.pop(of_output, None)
    waiter = aws.get_waiter(command.replace("-", "_")) if waits else None
    operation = "DescribeStream" if waits else "".join(map(str.capitalize, command.split("-")))
    members = aws.meta.service_model.operation_model(operation).input_shape.members
    named = {"--" + xform_name(name, "-"): name for name in members}
    arguments = {named[o]: value(members[named[o]], text) for o, text in options.items()}
    (waiter.wait if waits else getattr(aws, xform_name(operation)))(**arguments)
    return aws


def told(aws_of):
    iam = aws_of.get("iam")
    there = {"users": {}, "roles": {}, "policies": {}, "profiles": {}, "streams": {}}
    for user in iam.list_users()["Users"]:
        name = user["UserName"]
        keys = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        put = iam.get_user_policy(UserName=name, PolicyName=name)
        there["users"][name] = {"policy": put["PolicyDocument"], "keys": len(keys)}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        put = iam.get_role_policy(RoleName=name, PolicyName=name)
        trust = role["AssumeRolePolicyDocument"]
        there["roles"][name] = {"policy": put["PolicyDocument"], "trust": trust, "path": role["Path"]}
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        of = {"PolicyArn": policy["Arn"], "VersionId": policy["DefaultVersionId"]}
        version = iam.get_policy_version(**of)["PolicyVersion"]
        there["policies"][policy["PolicyName"]] = version["Document"]
    for profile in iam.list_instance_profiles()["InstanceProfiles"]:
        roles = [role["RoleName"] for role in profile["Roles"]]
        there["profiles"][profile["InstanceProfileName"]] = roles
    kinesis = aws_of.get("kinesis")
    for name in kinesis.list_streams()["StreamNames"] if kinesis else []:
        of = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        mode = of["StreamModeDetails"]["StreamMode"]
        there["streams"][name] = [of["OpenShardCount"], mode, of.get("KeyId")]
    return there


for script in sys.stdin.read().split("\n\n"):
    # Each in an account of its own.
    with mock_aws():
        spoken_to = {}
        for line in script.splitlines():
            words = json.loads(line)
            spoken_to[words[0]] = play(*words)
        print(json.dumps(told(spoken_to)))
