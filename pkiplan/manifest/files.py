"""The only module of the manifest language that reads files; every file it reads is remembered with its digest."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pkiplan.diagnostics import Place
from pkiplan.errors import system_words
from pkiplan.hints import nearest
from pkiplan.manifest.problems import shown
from pkiplan.manifest.values import BadValueError

LARGEST_FILE = 64 * 1024 * 1024
LARGEST_TOTAL = 256 * 1024 * 1024
MOST_ENTRIES = 200_000
MOST_DIRECTORIES = 100
LONGEST_PATTERN = 255


@dataclass(frozen=True, slots=True)
class InputDigest:
    """A file that was read: its path as shown, and the SHA-256 of its bytes in hex."""

    path: str
    sha256: str


class Files:
    """Reads files for one run. What a manifest names must lie beneath one of `roots`."""

    def __init__(self, working_directory: str) -> None:
        self.working_directory = working_directory
        self.roots: list[str] = []
        self.inputs: dict[str, InputDigest] = {}
        # What was looked for beside the texts of files, with the answer: a later run must find the same.
        self.looks: list[tuple[object, ...]] = []
        self._texts: dict[str, str] = {}
        self._total = 0

    def shown(self, path: str) -> str:
        """Return a path as a person is shown it: relative to the working directory where it lies beneath."""
        relative = os.path.relpath(path, self.working_directory)
        return relative if not relative.startswith("..") else path

    def read_text(self, path: str) -> str:
        """Return the text of a file; UTF-8, or UTF-16 that says so by its byte order mark."""
        if path in self._texts:
            return self._texts[path]
        data = self._read(path)
        digest = InputDigest(self.shown(path), hashlib.sha256(data).hexdigest())
        self.inputs[path] = digest
        text = self._texts[path] = _decoded(data, digest.path)
        return text

    def _read(self, path: str) -> bytes:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except FileNotFoundError as error:
            raise BadValueError(
                f"no such file: {shown(self.shown(path))}", code="missing-file", hint=_nearest(path)
            ) from error
        except OSError as error:
            raise _unreadable(self.shown(path), error) from error
        try:
            return self._contents(descriptor, path)
        except OSError as error:
            raise _unreadable(self.shown(path), error) from error
        finally:
            os.close(descriptor)

    def _contents(self, descriptor: int, path: str) -> bytes:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise BadValueError(f"{shown(self.shown(path))} is a directory", code="unreadable-file")
        if not stat.S_ISREG(status.st_mode):
            raise BadValueError(f"{shown(self.shown(path))} is no regular file", code="unreadable-file")
        if status.st_size > LARGEST_FILE or self._total + status.st_size > LARGEST_TOTAL:
            hint = f"at most {LARGEST_FILE:,} in a file, {LARGEST_TOTAL:,} in all"
            summary = f"{shown(self.shown(path))} is too large: {status.st_size:,} bytes"
            raise BadValueError(summary, code="too-large", hint=hint)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(LARGEST_FILE + 1)
        self._total += len(data)
        return data

    def is_executable(self, path: str) -> bool:
        """Tell whether anybody may execute a file."""
        is_executable = bool(os.stat(path).st_mode & 0o111)
        self.looks.append(("executable", path, is_executable))
        return is_executable

    def inside(self, directory: str, path: str) -> str:
        """Return the absolute path of a file that a manifest in `directory` names; it must not lead out of the site."""
        if "\0" in path:
            raise BadValueError("a NUL in a path", code="unsafe-path")
        absolute = os.path.normpath(os.path.join(directory, path))
        real = os.path.realpath(absolute)
        self.looks.append(("real", absolute, real))
        for candidate in (absolute, real):
            if not any(candidate == root or candidate.startswith(root.rstrip("/") + "/") for root in self._all_roots()):
                raise BadValueError(
                    f"{shown(path)} leads out of the site",
                    code="unsafe-path",
                    hint="name that file or its directory on the command line, beside the manifest",
                )
        return absolute

    def _all_roots(self) -> list[str]:
        return [*self.roots, *(os.path.realpath(root) for root in self.roots)]

    def matching(self, directory: str, pattern: str) -> list[str]:
        """List the files that a pattern of a manifest means, sorted; `**` goes through directories."""
        import glob

        if not glob.has_magic(pattern):
            return [self.inside(directory, pattern)]
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise BadValueError(
                f"the pattern {shown(pattern)} leads out of the site",
                code="unsafe-path",
                hint="write a relative pattern without `..`",
            )
        segments = [segment for segment in pattern.split("/") if segment not in ("", ".")]
        if len(pattern) > LONGEST_PATTERN or segments.count("**") > 1:
            raise BadValueError(
                f"the pattern {shown(pattern)} is too complicated",
                code="unsafe-path",
                hint=f"write at most {LONGEST_PATTERN} characters, and `**` once",
            )
        found = [self.inside(directory, name) for name in self._matching(directory, "", segments, [0])]
        return sorted(absolute for absolute in found if os.path.isfile(absolute))

    def _matching(self, root: str, beneath: str, segments: list[str], seen: list[int]) -> Iterator[str]:
        """Walk over what segments of a pattern match; `**` follows no links, which may lead round in circles."""
        first, rest = segments[0], segments[1:]
        is_deep = first == "**"
        if is_deep and rest:
            yield from self._matching(root, beneath, rest, seen)
        for entry, is_directory, is_link in self._entries(os.path.join(root, beneath), "*" if is_deep else first, seen):
            name = os.path.join(beneath, entry)
            if not rest:
                yield name
            if is_deep and is_directory and not is_link:
                yield from self._matching(root, name, segments, seen)
            elif rest and not is_deep and is_directory:
                self.inside(root, name)
                yield from self._matching(root, name, rest, seen)

    def _entries(self, directory: str, pattern: str, seen: list[int]) -> list[Any]:
        from pkiplan.cache.listing import listing

        found = listing(directory, pattern)
        self.looks.append(("listing", directory, pattern, found))
        seen[0] += len(found) + 1
        if directory.count("/") > MOST_DIRECTORIES:
            raise BadValueError(
                f"a pattern goes through more than {MOST_DIRECTORIES} directories, one in the other", code="too-large"
            )
        if seen[0] > MOST_ENTRIES:
            raise BadValueError(
                f"a pattern looks at more than {MOST_ENTRIES:,} files",
                code="too-large",
                hint="begin it with the directory that is meant",
            )
        return found

    def manifests_of(self, path: str) -> list[str]:
        """List the manifests that a path on the command line means.

        A directory means its `site.yaml` (or `site.yml`), which names the others; without one, all of its YAML files.
        """
        absolute = os.path.normpath(os.path.join(self.working_directory, path))
        if not os.path.isdir(absolute):
            return [absolute]
        for name in ("site.yaml", "site.yml"):
            if os.path.lexists(os.path.join(absolute, name)):
                return [os.path.join(absolute, name)]
        try:
            names = sorted(os.listdir(absolute))
        except OSError as error:
            raise _unreadable(path, error) from error
        found = [
            os.path.join(absolute, name)
            for name in names
            if name.endswith((".yaml", ".yml")) and not name.startswith(".")
        ]
        if not found:
            raise BadValueError(
                f"no manifest in {shown(path)}", code="missing-file", hint="`pkiplan init` writes a `site.yaml`"
            )
        return found


def _unreadable(path: str, error: OSError) -> BadValueError:
    hint = "see that this user may read it" if isinstance(error, PermissionError) else ""
    return BadValueError(f"cannot read {shown(path)}: {system_words(error)}", code="unreadable-file", hint=hint)


def _nearest(path: str) -> str:
    """Name the file beside a missing one that is most like it."""
    directory, name = os.path.split(path)
    try:
        close = nearest(name, sorted(os.listdir(directory)), likeness=0.8)
    except OSError:
        close = None
    return f"did you mean `{close}`, in the same directory?" if close else ""


def _decoded(data: bytes, path: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8"
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        place = Place(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
        summary = f"{shown(str(place))} is not {encoding.upper()}: byte {data[error.start]:#04x}"
        raise BadValueError(summary, code="not-utf-8", hint="save the file as UTF-8", place=place) from error
