"""Relay's Python SDK against the metadata API of our tests, then our step against it.

Arguments: the command of the step. The environment: METADATA_API_URL, AWS_ENDPOINT_URL_STS, and KEYS,
the keys that the spec names, as JSON.
"""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import boto3
from checks import run_all
from relay_sdk import Dynamic as D
from relay_sdk import Interface
from relay_sdk.interface import UnresolvableException

KEYS = json.loads(os.environ["KEYS"])
RELAY = Interface()
STEP = {}


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def output(name):
    url = urlsplit(os.environ["METADATA_API_URL"])
    request = urllib.request.Request(f"http://{url.hostname}:{url.port}/outputs/default/{name}")
    token = base64.b64encode(f":{url.password}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def refused(query, error, words=""):
    try:
        RELAY.get(query)
    except error as told:
        assert words in str(told), told
    else:
        raise AssertionError("was not refused")


def the_sdk_reads_a_field():
    equal(RELAY.get(D.aws.connection.accessKeyID), KEYS["accessKeyID"])
    equal(RELAY.get(D.aws.region), "eu-west-1")


def the_sdk_reads_objects():
    equal(RELAY.get(D.aws), {"connection": KEYS, "region": "eu-west-1"})


def the_sdk_is_refused_what_is_missing():
    refused(D.aws.connection.sessionToken, Exception, "422")
    refused(D.nope, Exception, "422")


def the_sdk_knows_what_is_unresolved():
    refused(D.gone, UnresolvableException)


def the_sdk_writes_an_output():
    RELAY.outputs.set("of-the-sdk", {"a": 1})
    equal(output("of-the-sdk")["value"], {"a": 1})


def the_step_does_its_work():
    ran = subprocess.run(sys.argv[1:], capture_output=True, text=True)
    sentences = (
        "Creating credentials...\n\n\n"
        "Adding temporary credentials to the output `connection`\n\n"
        "Adding assumed role identifiers to the output `role`\n"
    )
    equal((ran.returncode, ran.stdout), (0, sentences))
    STEP["told"] = ran.stderr


def its_connection_is_sensitive():
    equal(output("connection")["metadata"], {"Sensitive": True})


def boto3_is_who_the_step_says():
    connection, role = output("connection")["value"], output("role")["value"]
    sts = boto3.client(
        "sts",
        region_name="eu-west-1",
        aws_access_key_id=connection["accessKeyID"],
        aws_secret_access_key=connection["secretAccessKey"],
        aws_session_token=connection["sessionToken"],
    )
    caller = sts.get_caller_identity()
    equal(caller["Arn"], role["arn"])
    equal(caller["UserId"], role["assumedRoleId"])
    equal(caller["Account"], role["accountId"])
    for secret in [connection["secretAccessKey"], connection["sessionToken"], KEYS["secretAccessKey"]]:
        assert secret not in STEP["told"], "a secret is on standard error"


run_all(
    [
        the_sdk_reads_a_field,
        the_sdk_reads_objects,
        the_sdk_is_refused_what_is_missing,
        the_sdk_knows_what_is_unresolved,
        the_sdk_writes_an_output,
        the_step_does_its_work,
        its_connection_is_sensitive,
        boto3_is_who_the_step_says,
    ]
)
