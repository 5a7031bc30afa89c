"""What we read in the AWS config files, beside what botocore reads in them.

Usage: judge_config.py ROWS DIFFERENCES PROGRAM...

ROWS is JSON lines of {id, name, profile, config?, config_base64?, credentials?}, the second for
bytes that are not UTF-8; what else a row has is not read. For each row both files are written,
botocore is asked, and `PROGRAM... PROFILE` prints {region, source, key, error}. A field that
differs must be explained in DIFFERENCES, a JSON list of {id, name, why}; an explanation whose row
no longer differs is a failure too, and so is one without a row.

Both sides stop where a call or a program would be needed: this is about reading.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile

import botocore.credentials
import botocore.httpsession
import botocore.session

from checks import run_all

PATH = os.environ["PATH"]
# Made by what would be called, so its values are not botocore's reading.
PLACEHOLDER = botocore.credentials.Credentials("placeholder", "placeholder")
# The methods whose key stands in the files.
STATIC = {"shared-credentials-file", "config-file"}


class WouldCall(Exception):
    """botocore has read all that is on this machine."""


def would_call(*_arguments, **_named):
    raise WouldCall


def keep_botocore_local():
    """No HTTP, no program: each of these stands where botocore would leave the files."""
    botocore.httpsession.URLLib3Session.send = would_call
    botocore.credentials.create_nested_client = would_call
    botocore.credentials.ContainerProvider.load = lambda _: PLACEHOLDER
    botocore.credentials.InstanceMetadataProvider.load = lambda _: PLACEHOLDER
    botocore.credentials.ProcessProvider._retrieve_credentials_using = lambda *_: {
        "access_key": "placeholder", "secret_key": "placeholder",
    }


def botocore_reading(profile):
    """botocore's side: the region, the method that has credentials, its key, the error's class."""
    found = {"region": None, "source": None, "key": None, "error": None}
    try:
        session = botocore.session.Session(profile=profile)
        found["region"] = session.get_config_variable("region")
        resolver = session.get_component("credential_provider")
        # The end of the chain, which no profile asks for. Where `credential_source` names these,
        # they are reached by another way.
        resolver.remove("container-role")
        resolver.remove("iam-role")
        credentials = resolver.load_credentials()
        if credentials is None:
            return found
        found["source"] = credentials.method
        if credentials.method in STATIC:
            found["key"] = credentials.access_key
        if credentials.method == "assume-role-with-web-identity":
            # It opens the token's file only when it is about to call.
            credentials.get_frozen_credentials()
    except WouldCall:
        pass
    except Exception as error:  # Any class is an answer here, FileNotFoundError too.
        found["error"] = type(error).__name__
    return found


def our_reading(program, profile):
    done = subprocess.run([*program, profile], capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"no JSON, status {done.returncode}: {done.stderr}") from None
    assert set(found) == {"region", "source", "key", "error"}, found
    return found


def differences(theirs, ours):
    """Each field that differs, in words."""
    # Two refusals agree: the names of errors are each program's own, and what else it found before
    # it gave up is nothing that anybody uses.
    if theirs["error"] and ours["error"]:
        return ""
    fields = ["error"] if theirs["error"] or ours["error"] else ["region", "source", "key"]
    return "; ".join(f"{field}: botocore {theirs[field]!r}, we {ours[field]!r}"
                     for field in fields if theirs[field] != ours[field])


def write_files(folder, row):
    """Writes both files, and makes this process's environment that of the row."""
    paths = {}
    for name in ("config", "credentials"):
        paths[name] = os.path.join(folder, name)
        # Line ends stay as they are in the row.
        content = row.get(name, "").encode() or base64.b64decode(row.get(f"{name}_base64", ""))
        if name in row or f"{name}_base64" in row:
            with open(paths[name], "wb") as file:
                file.write(content)
    os.environ.clear()
    os.environ.update({
        "PATH": PATH, "HOME": folder, "AWS_CONFIG_FILE": paths["config"],
        "AWS_SHARED_CREDENTIALS_FILE": paths["credentials"],
    })


def check_of(row, why, program):
    """The check of one row; `why` explains its difference, where one is expected."""
    def check():
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, row)
            found = differences(botocore_reading(row["profile"]),
                                our_reading(program, row["profile"]))
        if why is None:
            assert not found, f"not explained: {found}"
        else:
            assert found, f"no longer differs, so take the explanation away: {why}"

    check.__name__ = f"{row['id']} {row['name']}" + (f" (differs: {why})" if why else "")
    return check


def every_explanation_has_its_row(rows, explanations):
    """A check of the list itself."""
    def check():
        lost = set(explanations) - {(row["id"], row["name"]) for row in rows}
        assert not lost, f"explained, but no such row: {sorted(lost)}"
        empty = [key for key, why in explanations.items() if not why.strip()]
        assert not empty, f"no reason given: {empty}"

    check.__name__ = every_explanation_has_its_row.__name__
    return check


def once(items, path):
    """By id and name, each of which may stand once."""
    keyed = {}
    for item in items:
        key = (item["id"], item["name"])
        assert key not in keyed, f"{path}: {key} stands twice"
        keyed[key] = item
    return keyed


def main(rows_path, differences_path, *program):
    assert program, "which program is compared?"
    with open(rows_path, encoding="utf-8") as file:
        rows = once([json.loads(line) for line in file if line.strip()], rows_path)
    assert rows, f"{rows_path} has no rows"
    with open(differences_path, encoding="utf-8") as file:
        listed = once(json.load(file), differences_path)
    explanations = {key: item["why"] for key, item in listed.items()}
    keep_botocore_local()
    checks = [check_of(row, explanations.get(key), program) for key, row in rows.items()]
    run_all([every_explanation_has_its_row(rows.values(), explanations), *checks])


if __name__ == "__main__":
    main(*sys.argv[1:])
