"""The AWS CLI and boto3 as clients of the emulator: what they send must be accepted, what they
read must be right, and what AWS refuses must be refused with AWS's code.

Usage: judge.py ROLECALL, with the environment of `rolecall emulate`.
"""

import base64
import json
import os
import subprocess
import sys
import datetime

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from checks import run_all

ROLECALL = sys.argv[1]
ACCOUNT = "111122223333"


def role(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:role/{name}"


def sts(credentials=None, **options):
    if credentials:
        options.update(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
        )
    return boto3.client("sts", **options)


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        answer = error.response
        assert answer["Error"]["Code"] == code, answer["Error"]
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status, answer
        assert answer["ResponseMetadata"]["RequestId"], answer
    else:
        raise AssertionError(f"not refused, {code} expected")


def aws(*arguments, credentials=None):
    environment = dict(os.environ)
    if credentials:
        environment["AWS_ACCESS_KEY_ID"] = credentials["AccessKeyId"]
        environment["AWS_SECRET_ACCESS_KEY"] = credentials["SecretAccessKey"]
        environment["AWS_SESSION_TOKEN"] = credentials["SessionToken"]
    done = subprocess.run(
        [sys.executable, "-m", "awscli", "sts", *arguments, "--output", "json"],
        env=environment, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def token(subject, *options):
    command = [ROLECALL, "emulate", "token", "--sub", subject, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def boto3_caller_identity():
    answer = sts().get_caller_identity()
    assert answer["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice", answer
    assert answer["Account"] == ACCOUNT, answer


def boto3_assume_role_with_every_parameter():
    answer = sts().assume_role(
        RoleArn=role("deployer"), RoleSessionName="judge+=,.@-_", DurationSeconds=43200,
        ExternalId="a:b/c", Tags=[{"Key": "Größe", "Value": "a b+c=:/@"}],
        TransitiveTagKeys=["Größe"], SourceIdentity="alice",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}),
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/deployer/judge+=,.@-_")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIAEMULATED")
    left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 43100 < left.total_seconds() < 43202, left
    assert answer["SourceIdentity"] == "alice" and answer["PackedPolicySize"] >= 0


def boto3_session_is_usable_and_chained():
    hub = sts().assume_role(RoleArn=role("hub"), RoleSessionName="judge")["Credentials"]
    who = sts(hub).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/hub/judge", who
    spoke = {"RoleArn": role("spoke", "444455556666"), "RoleSessionName": "judge"}
    assert sts(hub).assume_role(**spoke)["Credentials"]
    refused("ValidationError", 400, sts(hub).assume_role, DurationSeconds=3601, **spoke)
    refused("AccessDenied", 403, sts().assume_role, **spoke)
    refused("AccessDenied", 403, sts(hub).get_session_token)
    altered = dict(hub, SessionToken=hub["SessionToken"][:-8])
    refused("InvalidClientTokenId", 403, sts(altered).get_caller_identity)
    altered = dict(hub, SecretAccessKey="wrong")
    refused("SignatureDoesNotMatch", 403, sts(altered).get_caller_identity)


def boto3_refusals():
    call = sts().assume_role
    refused("AccessDenied", 403, call, RoleArn=role("reader"), RoleSessionName="judge")
    refused("AccessDenied", 403, call, RoleArn=role("reader"), RoleSessionName="judge",
            ExternalId="ABC")
    refused("AccessDenied", 403, call, RoleArn=role("missing"), RoleSessionName="judge")
    refused("AccessDenied", 403, call, RoleArn=role("locked"), RoleSessionName="judge")
    refused("ValidationError", 400, call, RoleArn=role("hub"), RoleSessionName="a b")
    refused("ValidationError", 400, call, RoleArn=role("hub"), RoleSessionName="judge",
            DurationSeconds=3601)
    refused("MalformedPolicyDocument", 400, call, RoleArn=role("deployer"),
            RoleSessionName="judge", Policy="not json")
    unknown = {"AccessKeyId": "AKIAUNKNOWN000000001", "SecretAccessKey": "x"}
    refused("InvalidClientTokenId", 403, sts(unknown).get_caller_identity)


def boto3_web_identity():
    good = {"RoleArn": role("web"), "RoleSessionName": "judge"}
    call = sts().assume_role_with_web_identity
    subject = "system:serviceaccount:team-a:app"
    answer = call(WebIdentityToken=token(subject), **good)
    assert answer["SubjectFromWebIdentityToken"] == subject, answer
    assert answer["Audience"] == "sts.amazonaws.com", answer
    refused("InvalidIdentityToken", 400, call, WebIdentityToken="garbage", **good)
    refused("ExpiredTokenException", 400, call,
            WebIdentityToken=token(subject, "--lifetime=-1h"), **good)
    refused("InvalidIdentityToken", 400, call,
            WebIdentityToken=token(subject, "--aud", "somebody-else"), **good)
    refused("AccessDenied", 403, call,
            WebIdentityToken=token("system:serviceaccount:other:app"), **good)


def boto3_session_token():
    keys = sts().get_session_token(DurationSeconds=900)["Credentials"]
    assert sts(keys).get_caller_identity()["Arn"].endswith(":user/alice")
    unchecked = sts(config=Config(parameter_validation=False))
    refused("ValidationError", 400, unchecked.get_session_token, DurationSeconds=899)


def boto3_second_factor():
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
    guarded = {"RoleArn": role("guarded"), "RoleSessionName": "judge"}
    refused("AccessDenied", 403, sts().assume_role, **guarded)
    shown = subprocess.run([ROLECALL, "emulate", "mfa-code", serial], check=True,
                           capture_output=True, text=True).stdout.strip()
    factor = {"SerialNumber": serial, "TokenCode": shown}
    session = sts().get_session_token(**factor)["Credentials"]
    assert sts(session).assume_role(**guarded)["Credentials"]
    refused("AccessDenied", 403, sts().assume_role, **guarded, **factor)


def boto3_registries():
    answer = boto3.client("ecr").get_authorization_token()["authorizationData"]
    assert len(answer) == 1, len(answer)
    name, password = base64.b64decode(answer[0]["authorizationToken"]).decode().split(":")
    assert name == "AWS" and password.startswith("EMULATED"), name
    left = answer[0]["expiresAt"] - datetime.datetime.now(datetime.timezone.utc)
    assert 43100 < left.total_seconds() < 43202, left
    region = os.environ["AWS_REGION"]
    endpoint = f"https://{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
    assert answer[0]["proxyEndpoint"] == endpoint, answer[0]["proxyEndpoint"]
    public = boto3.client("ecr-public", region_name="us-east-1").get_authorization_token()
    assert public["authorizationData"]["authorizationToken"]
    one = sts().assume_role(RoleArn=role("puller-of-one"), RoleSessionName="judge")["Credentials"]
    client = boto3.client(
        "ecr", aws_access_key_id=one["AccessKeyId"], aws_session_token=one["SessionToken"],
        aws_secret_access_key=one["SecretAccessKey"])
    refused("AccessDeniedException", 400, client.get_authorization_token)
    login = subprocess.run(
        [sys.executable, "-m", "awscli", "ecr", "get-login-password"],
        capture_output=True, text=True)
    assert login.returncode == 0, login.stderr
    assert login.stdout.startswith("EMULATED")


def aws_cli():
    who = aws("get-caller-identity")
    assert who["Arn"].endswith(":user/alice"), who
    answer = aws("assume-role", "--role-arn", role("reader"), "--role-session-name", "judge",
                 "--external-id", "abc", "--duration-seconds", "900")
    who = aws("get-caller-identity", credentials=answer["Credentials"])
    assert who["Arn"].endswith(":assumed-role/reader/judge"), who
    assert aws("get-session-token")["Credentials"]["SessionToken"]
    web = aws("assume-role-with-web-identity", "--role-arn", role("web"),
              "--role-session-name", "judge",
              "--web-identity-token", token("system:serviceaccount:team-a:app"))
    assert web["Credentials"]["SessionToken"]


def rolecall_json_has_the_shape_of_the_cli():
    theirs = aws("assume-role", "--role-arn", role("hub"), "--role-session-name", "judge")
    command = [ROLECALL, "assume", role("hub"), "--session-name", "judge", "-o", "json"]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for part in ("Credentials", "AssumedRoleUser"):
        assert set(ours[part]) == set(theirs[part]), (part, ours[part].keys())
    assert ours["AssumedRoleUser"] == theirs["AssumedRoleUser"]


def rolecall_credentials_serve_the_aws_cli():
    command = [ROLECALL, "exec", role("hub"), "--session-name", "judge", "--",
               sys.executable, "-m", "awscli", "sts", "get-caller-identity", "--output", "json"]
    done = subprocess.run(command, check=True, capture_output=True)
    assert json.loads(done.stdout)["Arn"].endswith(":assumed-role/hub/judge"), done.stdout


run_all([
    boto3_caller_identity, boto3_assume_role_with_every_parameter,
    boto3_session_is_usable_and_chained, boto3_refusals, boto3_web_identity,
    boto3_session_token, boto3_second_factor, boto3_registries, aws_cli,
    rolecall_json_has_the_shape_of_the_cli, rolecall_credentials_serve_the_aws_cli,
])
