"""What a step does with Relay's Python SDK and boto3: the peer of `cargo xtask bench step`."""

import boto3
from relay_sdk import Dynamic as D
from relay_sdk import Interface

relay = Interface()
sts = boto3.client(
    "sts",
    region_name=relay.get(D.aws.region),
    aws_access_key_id=relay.get(D.aws.connection.accessKeyID),
    aws_secret_access_key=relay.get(D.aws.connection.secretAccessKey),
)
answer = sts.assume_role(
    RoleArn=relay.get(D.roleARN), RoleSessionName=relay.get(D.roleSessionName)
)
keys, role = answer["Credentials"], answer["AssumedRoleUser"]
relay.outputs.set(
    "connection",
    {
        "accessKeyID": keys["AccessKeyId"],
        "secretAccessKey": keys["SecretAccessKey"],
        "sessionToken": keys["SessionToken"],
    },
)
relay.outputs.set("role", {"assumedRoleId": role["AssumedRoleId"], "arn": role["Arn"]})
