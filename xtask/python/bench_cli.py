"""Runs rolecall, a bare SDK program and the AWS CLI in turn; prints medians and ratios.

Usage: bench_cli.py ROLECALL BARE RUNS, with the environment of `rolecall emulate`.
"""

import os
import statistics
import sys
import time

ROLE = "arn:aws:iam::111122223333:role/deployer"


def measure(argv):
    """Wall time in ms and peak resident memory in MiB of one run."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    pid = os.posix_spawn(
        argv[0], argv, dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, devnull, 1)]
    )
    _, status, usage = os.wait4(pid, 0)
    wall = (time.perf_counter() - start) * 1000
    os.close(devnull)
    if status != 0:
        sys.exit(f"{argv[0]} ended with status {status}")
    return wall, usage.ru_maxrss / 1024


def main():
    rolecall, bare, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    programs = {
        "bare SDK program": [bare, ROLE],
        "rolecall assume": [rolecall, "assume", ROLE, "-o", "json"],
        "aws sts assume-role": [
            sys.executable, "-m", "awscli", "sts", "assume-role",
            "--role-arn", ROLE, "--role-session-name", "bench",
        ],
    }
    samples = {name: [] for name in programs}
    for name, argv in programs.items():
        measure(argv)  # Once to fill the page cache.
    for _ in range(runs):
        for name, argv in programs.items():
            samples[name].append(measure(argv))
    base = [statistics.median(column) for column in zip(*samples["bare SDK program"])]
    print(f"{runs} runs of each in turn, medians")
    for name, rows in samples.items():
        wall, memory = (statistics.median(column) for column in zip(*rows))
        print(
            f"{name:22} {wall:8.1f} ms ({wall / base[0]:.2f} x)"
            f" {memory:7.1f} MiB ({memory / base[1]:.2f} x)"
        )
    print(f"release binary: {os.path.getsize(rolecall) / 1e6:.1f} MB")


main()
