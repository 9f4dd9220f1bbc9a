"""What `kith doctor` makes of what it finds."""

import time
from pathlib import Path

import pytest

from deploy.embedded import diagnosis
from deploy.embedded.diagnosis import why_it_does_not_run

LOADER = (
    "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file: "
    "No such file or directory\n"
)
LDD = """
	linux-vdso.so.1 (0x00007ffd)
	libcurl.so.4 => not found
	libcrypto.so.3 => not found
	libssl.so.3 => not found
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)
"""


def test_a_missing_library_names_the_debian_package_that_has_it() -> None:
    assert why_it_does_not_run(127, LOADER) == ("lacks libcurl.so.4", "apt-get install -y libcurl4")


def test_every_missing_library_is_mended_by_one_command() -> None:
    found, mend = why_it_does_not_run(127, LOADER + LDD)
    assert found == "lacks libcrypto.so.3, libcurl.so.4, libssl.so.3"
    assert mend == "apt-get install -y libcurl4 libssl3"


def test_a_library_nobody_mapped_is_named_as_it_is() -> None:
    assert "libfuture.so.9" in why_it_does_not_run(127, "\tlibfuture.so.9 => not found\n")[1]


def test_a_system_too_old_for_the_wheel_is_told_what_would_do() -> None:
    found, mend = why_it_does_not_run(1, "mongod: /lib/libc.so.6: version `GLIBC_2.34' not found\n")
    assert found == "needs GLIBC_2.34"
    assert "Debian 12" in mend


def test_a_processor_without_avx_is_recognised_by_how_mongod_dies() -> None:
    assert "AVX" in why_it_does_not_run(-4, "")[0]


def test_an_old_python_is_missing_and_the_oldest_supported_is_not() -> None:
    assert not diagnosis.python_version((3, 10, 14)).ok
    assert "apt-get install" in diagnosis.python_version((3, 10, 14)).mend
    assert diagnosis.python_version((3, 11, 0)).ok


@pytest.mark.parametrize(("kind", "system", "ok"), [("x86_64", "linux", True), ("i686", "linux", False)])
def test_a_32_bit_machine_is_refused(kind: str, system: str, ok: bool) -> None:
    assert diagnosis.machine(kind, system).ok is ok


def test_a_clock_before_this_program_was_written_is_wrong() -> None:
    assert diagnosis.clock(time.time()).ok
    assert "timedatectl" in diagnosis.clock(0.0).mend


def test_a_full_disk_is_said_with_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert diagnosis.disk_space(tmp_path / "not" / "there").ok
    monkeypatch.setattr(diagnosis, "FREE_BYTES", 2**62)
    full = diagnosis.disk_space(tmp_path)
    assert not full.ok
    assert str(tmp_path) in full.found


def test_a_missing_mongod_is_mended_by_the_requirement_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "requirements/run.txt" in diagnosis.mongod().mend
    assert "requirements/run.txt" in diagnosis.broker().mend


def test_a_mongod_that_does_not_run_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'libcurl.so.4: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check = diagnosis.mongod()
    assert (check.ok, check.mend) == (False, "apt-get install -y libcurl4")


def test_this_machine_has_programs_that_run() -> None:
    assert diagnosis.mongod().ok
    assert diagnosis.broker().ok
