"""ministack as a process that ends with the judge that started it."""

import contextlib
import http.client
import os
import socket
import subprocess
import time

START_SECONDS = 60


def wait_until(happened, seconds, what):
    """Asks until the answer is yes. The bound only ends a judge that would hang."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def ministack(python, folder, account):
    """Runs ministack on a free port of loopback for one account, and ends it. Gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder,
        "AUTH": "true", "MINISTACK_ACCOUNT_ID": account, "GATEWAY_PORT": str(port),
        # Without it ministack listens on every interface.
        "BIND_HOST": "127.0.0.1",
        # It removes containers that it takes for its own: let it find no Docker.
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        # Listeners of its own on fixed ports.
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
    }
    log = os.path.join(folder, "ministack.log")
    with open(log, "wb") as sink:
        server = subprocess.Popen([python, "-m", "ministack"], cwd=folder,
                                  env=environment, stdout=sink, stderr=subprocess.STDOUT)

    def answers():
        if server.poll() is not None:
            with open(log, encoding="utf-8") as text:
                raise AssertionError(f"ministack ended with {server.returncode}:\n{text.read()}")
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            asked.request("GET", "/_ministack/health")
            return asked.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    try:
        wait_until(answers, START_SECONDS, "ministack answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
