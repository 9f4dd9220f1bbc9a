"""Who holds a data folder."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from deploy.embedded.state import LOCK, AlreadyRunning, holder, locked


def test_a_held_folder_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), locked(tmp_path):
            pytest.fail("two hold the same folder")
    assert holder(tmp_path) is None


def test_someone_asking_who_holds_the_folder_does_not_keep_a_stack_from_starting(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    with (tmp_path / LOCK).open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        with locked(tmp_path):
            assert holder(tmp_path) == os.getpid()
