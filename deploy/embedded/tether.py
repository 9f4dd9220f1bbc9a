"""Runs a command that dies with its parent, however the parent ends.

`python -I tether.py PARENT_PID COMMAND ARGUMENT…` replaces itself by the command. The kernel's parent-death
signal survives that; a preparing function between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent was gone before the command started")
    os.execv(command[0], command)  # noqa: S606  (replaces this process; no shell is wanted)


if __name__ == "__main__":
    main()
