"""Our client against ministack, an STS that is not ours: it verifies our signatures, judges trust
policies and ends sessions by code that shares nothing with our emulator.

Usage: judge_ministack.py ROLECALL MINISTACK_PYTHON. It starts ministack and ends it.

ministack is an imitation too. Where it differs from AWS, a comment below says how, and the check
holds what both do. It does not judge durations, bounds of fields or the chaining hour at all, so
there is no check of them here. Clock skew is left out: nothing here can turn rolecall's clock.
"""

import base64
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from checks import run_all
from ministack_server import ministack, wait_until

ROLECALL, MINISTACK_PYTHON = sys.argv[1:]
ACCOUNT = "123456789012"
ISSUER = "oidc.judge.example"
EXPIRY_SECONDS = 30


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def session_arn(name):
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/judge"


def client(service, keys=None):
    """A boto3 client with `keys`, or with ministack's own root key."""
    keys = keys or {"AccessKeyId": "test", "SecretAccessKey": "test"}
    return boto3.client(
        service, endpoint_url=URL, region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        # Sessions of one second: botocore would refuse to ask for them.
        config=Config(parameter_validation=False),
    )


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_role(iam, name, principal, *actions, may_assume=False, **conditions):
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions}
    if conditions:
        statement["Condition"] = {"StringEquals": conditions["equal"]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(statement))
    if may_assume:
        iam.put_role_policy(RoleName=name, PolicyName="assume", PolicyDocument=MAY_ASSUME)


# AWS needs no such policy where a trust policy of the same account names the caller. ministack
# refuses a caller without one ("because no identity-based policy allows the sts:AssumeRole
# action").
MAY_ASSUME = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})


def make_world():
    """Makes the account, and returns the keys of its user."""
    iam = client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="assume", PolicyDocument=MAY_ASSUME)
    ann = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}
    make_role(iam, "plain", ann, "sts:AssumeRole")
    make_role(iam, "reader", ann, "sts:AssumeRole", equal={"sts:ExternalId": "judge:a/b"})
    make_role(iam, "tagged", ann, "sts:AssumeRole", "sts:TagSession",
              equal={"aws:RequestTag/Größe": "a b+c=:/@"})
    make_role(iam, "hub", ann, "sts:AssumeRole", may_assume=True)
    make_role(iam, "spoke", {"AWS": role("hub")}, "sts:AssumeRole")
    issuer = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
    make_role(iam, "web", issuer, "sts:AssumeRoleWithWebIdentity",
              equal={f"{ISSUER}:sub": "app", f"{ISSUER}:aud": "sts.amazonaws.com"})
    return iam.create_access_key(UserName="ann")["AccessKey"]


def environment(keys):
    """What rolecall gets: the keys, and nothing else of this machine."""
    found = {"PATH": os.environ["PATH"], "HOME": FOLDER, "AWS_EC2_METADATA_DISABLED": "true"}
    if keys:
        found["AWS_ACCESS_KEY_ID"] = keys["AccessKeyId"]
        found["AWS_SECRET_ACCESS_KEY"] = keys["SecretAccessKey"]
    if keys and keys.get("SessionToken"):
        found["AWS_SESSION_TOKEN"] = keys["SessionToken"]
    return found


def rolecall(*arguments, keys=None):
    command = [ROLECALL, arguments[0], "--endpoint-url", URL, *arguments[1:]]
    return subprocess.run(command, env=environment(keys), capture_output=True, text=True)


def assume(name, *flags, keys=None):
    return rolecall("assume", role(name), "--session-name", "judge", "-o", "json", *flags,
                    keys=keys or ANN)


def delivered(done, arn):
    """The credentials, after ministack has said that they are those of `arn`."""
    assert done.returncode == 0, done.stderr
    keys = json.loads(done.stdout)["Credentials"]
    found = client("sts", keys).get_caller_identity()
    assert found["Arn"] == arn, found
    return keys


def refused(done, *words, status=3):
    """The exit status, and every one of `words` on standard error, where no secret may stand."""
    assert done.returncode == status, (done.returncode, done.stderr)
    assert done.stdout == "", "credentials or words on standard output"
    for word in words:
        assert word in done.stderr, f"{word!r} is missing in: {done.stderr}"
    for secret in SECRETS:
        assert secret not in done.stderr, "a secret on standard error"


def remember(keys):
    """Keys whose secrets no later refusal may show."""
    SECRETS.extend(keys[name] for name in ("SecretAccessKey", "SessionToken") if name in keys)
    return keys


def web_token(subject):
    """A token with that subject. ministack verifies neither its signature nor its expiry."""
    claims = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": subject,
              "iat": 1, "exp": 4102444800}
    parts = [json.dumps({"alg": "RS256", "typ": "JWT"}), json.dumps(claims), "unsigned"]
    encoded = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    path = os.path.join(FOLDER, f"token-{subject}")
    with open(path, "w", encoding="ascii") as file:
        file.write(".".join(encoded))
    return path


def manifest(spec, keys=None):
    """A STSSessionToken, and the Secret that it names when there are `keys`."""
    names = {"AccessKeyId": "accessKeyID", "SecretAccessKey": "secretAccessKey",
             "SessionToken": "sessionToken"}
    documents = []
    if keys:
        texts = {name: keys[name] for name in names if keys.get(name)}
        documents.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
                          "stringData": texts})
        references = {f"{names[name]}SecretRef": {"name": "keys", "key": name} for name in texts}
        spec = dict(spec, auth={"secretRef": references})
    documents.append({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "STSSessionToken",
        "metadata": {"name": "judge"}, "spec": spec,
    })
    path = os.path.join(FOLDER, "manifest.yaml")
    with open(path, "w", encoding="utf-8") as file:
        # JSON is YAML.
        file.write("\n---\n".join(json.dumps(document) for document in documents))
    return path


def static_keys_assume_a_role():
    delivered(assume("plain"), session_arn("plain"))


def optional_parameters_are_accepted():
    inline = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    delivered(assume("plain", "--policy", inline, "--duration", "12h", "--source-identity", "ann",
                     "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
              session_arn("plain"))


def a_right_external_id_is_accepted():
    delivered(assume("reader", "--external-id", "judge:a/b"), session_arn("reader"))


def a_wrong_external_id_is_refused():
    refused(assume("reader", "--external-id", "judge:A/B"), "STS answered AccessDenied",
            f"hint: the trust policy of {role('reader')} must admit the caller",
            "the external ID must be the one it asks for")


def a_missing_external_id_is_refused():
    refused(assume("reader"), "STS answered AccessDenied", "no external ID was sent")


def a_missing_role_is_refused():
    # AWS names the caller in the message; ministack leaves it out ("User: is not authorized").
    refused(assume("missing"), "STS answered AccessDenied",
            f"hint: the trust policy of {role('missing')}")


def a_chain_ends_at_its_last_role():
    delivered(assume("spoke", "--via", role("hub")), session_arn("spoke"))
    refused(assume("spoke"), "STS answered AccessDenied", role("spoke"))


def a_refused_chain_names_the_role_to_trust():
    refused(assume("plain", "--via", role("hub")),
            f"could not assume {role('plain')} as {role('hub')}",
            f"must admit the caller's role {role('hub')}")


def a_delivered_session_assumes_the_next_role():
    hub = delivered(assume("hub"), session_arn("hub"))
    delivered(assume("spoke", keys=hub), session_arn("spoke"))


def a_chained_session_is_not_asked_for_two_hours():
    # ministack would give them: the refusal is ours, before the call.
    hub = delivered(assume("hub"), session_arn("hub"))
    refused(assume("spoke", "--duration", "2h", keys=hub), "nothing was sent to STS", "3600 s",
            status=2)


def exec_hands_over_a_session_that_works():
    code = ("import boto3, sys; "
            "print(boto3.client('sts', endpoint_url=sys.argv[1]).get_caller_identity()['Arn'])")
    done = rolecall("exec", role("plain"), "--session-name", "judge", "--",
                    sys.executable, "-c", code, URL, keys=ANN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == session_arn("plain"), done.stdout


def boto3_runs_us_as_its_credential_process():
    command = [ROLECALL, "assume", role("plain"), "--session-name", "judge",
               "--endpoint-url", URL, "-o", "credential-process"]
    config = os.path.join(FOLDER, "process.config")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"[profile ours]\ncredential_process = {shlex.join(command)}\n")
    code = ("import boto3, sys; session = boto3.Session(profile_name='ours'); "
            "sts = session.client('sts', endpoint_url=sys.argv[1], region_name='us-east-1'); "
            "print(sts.get_caller_identity()['Arn'])")
    done = subprocess.run([sys.executable, "-c", code, URL], capture_output=True, text=True,
                          env=dict(environment(ANN), AWS_CONFIG_FILE=config))
    assert done.stdout.strip() == session_arn("plain"), done.stderr


def a_session_token_manifest_gives_the_users_session():
    done = rolecall("generate", "-f", manifest({"region": "eu-west-1"}, ANN), "-o", "json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    keys = remember({"AccessKeyId": made["access_key_id"], "SessionToken": made["session_token"],
                     "SecretAccessKey": made["secret_access_key"]})
    found = client("sts", keys).get_caller_identity()
    assert found["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann", found
    # STS's default is 12 h. Tolerant of a slow run, not of a unit or a time zone.
    left = int(made["expiration"]) - time.time()
    assert 42000 < left <= 43201, left
    delivered(assume("plain", keys=keys), session_arn("plain"))


def a_session_token_is_not_asked_for_with_session_keys():
    # AWS and ministack answer AccessDenied, "Cannot call GetSessionToken with session credentials".
    # We know it before the call, from the Secret and from the environment.
    hub = delivered(assume("hub"), session_arn("hub"))
    words = "cannot call GetSessionToken with temporary credentials"
    spec = {"region": "eu-west-1"}
    refused(rolecall("generate", "-f", manifest(spec, hub)), words, status=2)
    refused(rolecall("generate", "-f", manifest(spec), keys=hub), words, status=2)


def a_wrong_secret_is_refused():
    wrong = dict(ANN, SecretAccessKey="wrong/secret/of/the/judge")
    refused(assume("plain", keys=remember(wrong)), "STS answered SignatureDoesNotMatch",
            "hint: check the access key and its secret from environment variables")


def an_unknown_key_is_refused():
    unknown = dict(ANN, AccessKeyId="AKIAUNKNOWN000000001")
    refused(assume("plain", keys=unknown), "STS answered InvalidClientTokenId",
            "hint: check the access key and its secret from environment variables")


def an_altered_session_token_is_refused():
    hub = delivered(assume("hub"), session_arn("hub"))
    altered = dict(hub, SessionToken=hub["SessionToken"][:-8])
    refused(assume("spoke", keys=remember(altered)), "STS answered InvalidClientTokenId")


def an_expired_session_is_refused():
    # AWS gives 900 s at least; ministack keeps the one second that is asked for.
    short = remember(client("sts", ANN).assume_role(
        RoleArn=role("hub"), RoleSessionName="judge", DurationSeconds=1)["Credentials"])
    sts = client("sts", short)

    def has_ended():
        try:
            sts.get_caller_identity()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ExpiredToken", error.response
            return True
        return False

    wait_until(has_ended, EXPIRY_SECONDS, "a session of one second ends")
    refused(assume("spoke", keys=short), "STS answered ExpiredToken",
            "hint: the credentials from environment variables have ended: get fresh ones")


def session_tags_arrive_as_they_were_written():
    tag = ("--tag", "Größe=a b+c=:/@")
    delivered(assume("tagged", *tag), session_arn("tagged"))
    delivered(assume("tagged", *tag, "--transitive-tag", "Größe"), session_arn("tagged"))
    refused(assume("tagged", "--tag", "Größe=other"), "STS answered AccessDenied")


def session_tags_need_tag_session():
    # AWS asks it of the caller's own policies too (across accounts); ministack of the trust alone.
    refused(assume("plain", "--tag", "team=a"), "sts:TagSession on resource",
            f"hint: the trust policy of {role('plain')} must also allow sts:TagSession")


def a_web_identity_assumes_a_role():
    flags = ("--web-identity-token-file", web_token("app"))
    delivered(rolecall("assume", role("web"), "--session-name", "judge", "-o", "json", *flags),
              session_arn("web"))


def a_web_identity_of_another_subject_is_refused():
    # AWS: InvalidIdentityToken for a token that it cannot verify. ministack comes to the trust
    # policy with any token, and there both say AccessDenied.
    refused(rolecall("assume", role("web"), "--web-identity-token-file", web_token("other")),
            "STS answered AccessDenied", "sub other")


# boto3 in this process: no settings and no proxy of this machine.
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]
os.environ["NO_PROXY"] = "127.0.0.1"
# An end from outside ends ministack too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

with tempfile.TemporaryDirectory() as FOLDER, ministack(MINISTACK_PYTHON, FOLDER, ACCOUNT) as URL:
    SECRETS = []
    ANN = remember(make_world())
    run_all([
        static_keys_assume_a_role, optional_parameters_are_accepted,
        a_right_external_id_is_accepted, a_wrong_external_id_is_refused,
        a_missing_external_id_is_refused, a_missing_role_is_refused,
        a_chain_ends_at_its_last_role, a_refused_chain_names_the_role_to_trust,
        a_delivered_session_assumes_the_next_role, a_chained_session_is_not_asked_for_two_hours,
        exec_hands_over_a_session_that_works, boto3_runs_us_as_its_credential_process,
        a_session_token_manifest_gives_the_users_session,
        a_session_token_is_not_asked_for_with_session_keys,
        a_wrong_secret_is_refused, an_unknown_key_is_refused,
        an_altered_session_token_is_refused, an_expired_session_is_refused,
        session_tags_arrive_as_they_were_written, session_tags_need_tag_session,
        a_web_identity_assumes_a_role, a_web_identity_of_another_subject_is_refused,
    ])
