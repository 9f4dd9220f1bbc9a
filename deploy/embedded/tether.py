"""Runs a command that dies with its parent, however the parent ends.

`python -I tether.py PARENT_PID NICENESS COMMAND ARGUMENT…` replaces itself by the command. The kernel's
parent-death signal survives that. The alternative, `preexec_fn`, is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, niceness, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent was gone before the command started")
    if niceness:
        _give_way(niceness)
    os.execv(command[0], command)  # noqa: S606  (replaces this process; no shell is wanted)


def _give_way(niceness: int) -> None:
    """Set the niceness of the process and its autogroup: the former counts only within the latter."""
    os.nice(niceness)
    with suppress(OSError), open("/proc/self/autogroup", "w") as group:
        group.write(str(niceness))


if __name__ == "__main__":
    main()
