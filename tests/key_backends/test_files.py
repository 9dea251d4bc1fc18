from __future__ import annotations

import errno
import grp
import os
import stat
import threading
from pathlib import Path

import pytest

from pkiplan.errors import KeyMaterialError
from pkiplan.key_backends.base import KeyDestination
from pkiplan.key_backends.files import FilesBackend
from pkiplan.model.keys import Curve, EcKeySpec, FileAttributes, ManagedKey

EC = EcKeySpec(Curve.P256)
BACKEND = FilesBackend()
EXCLUSIVELY = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
IS_ROOT = os.geteuid() == 0


def destination(
    path: Path, *, mode: int = 0o600, owner: str | None = None, group: str | None = None, **changes: object
) -> KeyDestination:
    attributes = FileAttributes(mode=mode, owner=owner, group=group)
    return KeyDestination(path=str(path), storage=ManagedKey(spec=EC, attributes=attributes), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_key_file_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        BACKEND.generate(EC, destination(tmp_path / "key.pem", mode=mode))
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == mode


def test_a_key_file_has_its_mode_from_birth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that looks as often as it can never sees more than the final mode, nor a key before it."""
    seen: set[int] = set()
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.is_set():
            for path in tmp_path.iterdir():
                seen.add(stat.S_IMODE(path.stat().st_mode))

    before = os.umask(0)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(50):
            BACKEND.generate(EC, destination(tmp_path / f"{number}.pem", sync=False))
    finally:
        is_done.set()
        watcher.join()
        os.umask(before)
    assert seen <= {0o600}


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Record the calls that make a file, in order."""
    calls: list[tuple[object, ...]] = []
    for name in ("open", "fchown", "fchmod", "write", "fsync", "unlink"):
        real = getattr(os, name)

        def stand_in(*arguments: object, _name: str = name, _real: object = real, **named: object) -> object:
            calls.append((_name, *arguments))
            return _real(*arguments, **named)  # type: ignore[operator]

        monkeypatch.setattr(os, name, stand_in)
    return calls


def test_a_key_file_is_made_exclusively_and_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    BACKEND.generate(EC, destination(tmp_path / "key.pem"))

    _, _, flags, mode = calls[0]
    assert isinstance(flags, int)
    assert flags & EXCLUSIVELY == EXCLUSIVELY
    assert mode == 0o600
    assert [call[0] for call in calls] == ["open", "write", "fsync"]


def test_syncing_can_be_left_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    BACKEND.generate(EC, destination(tmp_path / "key.pem", sync=False))

    assert "fsync" not in [call[0] for call in calls]


@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_a_key_is_given_away_before_anything_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    group = grp.getgrgid(65534).gr_name
    BACKEND.generate(EC, destination(tmp_path / "key.pem", mode=0o640, owner="65534", group=group))

    facts = (tmp_path / "key.pem").stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (65534, 65534, 0o640)
    assert [call[0] for call in calls] == ["open", "fchown", "fchmod", "write", "fsync"]
    assert calls[0][3] == 0o600


@pytest.mark.parametrize(
    ("owner", "group", "why"), [("nobody-of-this-name", None, "no user"), (None, "no-such-group", "no group")]
)
def test_an_unknown_owner_is_told_before_a_file_is_made(
    tmp_path: Path, owner: str | None, group: str | None, why: str
) -> None:
    with pytest.raises(KeyMaterialError, match=why):
        BACKEND.generate(EC, destination(tmp_path / "key.pem", owner=owner, group=group))
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_root_is_told_that_a_key_cannot_be_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(os, "getgroups", list)
    monkeypatch.setattr(os, "getegid", lambda: 1234)
    for owner, group in (("65534", None), (None, "65534")):
        with pytest.raises(KeyMaterialError, match="only root"):
            BACKEND.generate(EC, destination(tmp_path / "key.pem", owner=owner, group=group))


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
def test_a_failing_disk_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    before = os.umask(0o777)  # so that fchmod has something to do
    try:
        with pytest.raises(KeyMaterialError, match="cannot be written: no space left on device") as caught:
            BACKEND.generate(EC, destination(tmp_path / "key.pem"))
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
    assert "PRIVATE KEY" not in str(caught.value)


def test_a_key_is_made_in_an_open_directory(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        BACKEND.generate(EC, destination(Path("/nowhere/key.pem"), dir_fd=directory))
    finally:
        os.close(directory)

    assert (tmp_path / "key.pem").exists()


def test_no_key_is_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(KeyMaterialError, match="never overwritten"):
        BACKEND.generate(EC, destination(tmp_path / "key.pem"))

    assert not (tmp_path / "elsewhere.pem").exists()


def test_pkiplans_own_link_is_followed(tmp_path: Path) -> None:
    generation = tmp_path / "..20270102T030405Z-00"
    generation.mkdir()
    BACKEND.generate(EC, destination(generation / "key.pem"))
    (tmp_path / "..data").symlink_to(generation.name)
    (tmp_path / "key.pem").symlink_to("..data/key.pem")

    assert BACKEND.public_key(str(tmp_path / "key.pem"), ()) == BACKEND.public_key(str(generation / "key.pem"), ())


@pytest.mark.parametrize("target", ["real.pem", "/etc/passwd", "../outside", "..data/other.pem"])
def test_no_other_link_is_followed(tmp_path: Path, target: str) -> None:
    BACKEND.generate(EC, destination(tmp_path / "real.pem"))
    (tmp_path / "..data").symlink_to(".")
    (tmp_path / "key.pem").symlink_to(target)

    with pytest.raises(KeyMaterialError, match="symbolic link"):
        BACKEND.signing_key(str(tmp_path / "key.pem"), ())


@pytest.mark.parametrize("target", ["/etc", "..", "../..", "sub/..x", ".", "plain"])
def test_a_generation_lies_in_the_same_directory(tmp_path: Path, target: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "..data").symlink_to(target)
    (tmp_path / "key.pem").symlink_to("..data/key.pem")

    with pytest.raises(KeyMaterialError, match="symbolic link"):
        BACKEND.signing_key(str(tmp_path / "key.pem"), ())


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key.pem")
    with pytest.raises(KeyMaterialError, match="not a regular file"):
        BACKEND.signing_key(str(tmp_path / "key.pem"), ())
    with pytest.raises(KeyMaterialError):
        BACKEND.signing_key(str(tmp_path), ())


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"x" * (2 << 20))
    with pytest.raises(KeyMaterialError, match="larger than"):
        BACKEND.signing_key(str(tmp_path / "key.pem"), ())
