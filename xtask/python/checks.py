"""How a judge runs its checks and says what they found."""

import sys


def run_all(checks):
    """Runs every check, prints a line for each, and ends the process: 1 when one has failed."""
    failed = 0
    for check in checks:
        try:
            check()
            print(f"ok      {check.__name__}", flush=True)
        except Exception as error:  # Every judge speaks, also after one has failed.
            failed += 1
            print(f"FAILED  {check.__name__}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
