"""A plan with nothing to do, remembered: it is given again while everything that it was made from is the same.

That is the question asked, the program itself, every manifest and file of variables that was read, what patterns of
names matched, and the whole tree; all by content, read again each time. Time takes part by an interval in which it
cannot change the answer. Whatever is different, missing or damaged means that the plan is made anew.

This module is on the way of every `plan`, before anything of the planner is imported: it imports little.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pkiplan
from pkiplan.cache.listing import listing
from pkiplan.cache.seal import SEAL_BYTES, is_sealed, read_private, seal, sealing_key
from pkiplan.cache.store import cache_directory, write_atomically
from pkiplan.cache.tree_digest import KnownDirectory, NoDigestError, Spread, TreeDigest, at_once

LARGEST = 512 * 1024 * 1024
# Of so many sites a plan is remembered; who has more begins with the oldest.
MOST_PLANS = 100

_SUFFIX = ".plan"


class RememberedPlan:
    """The answer as it was given: the texts by whether they are coloured, and the plan's document up to its time."""

    __slots__ = ("_after", "_before", "result", "talk")

    def __init__(self, result: Mapping[str, str], talk: Mapping[str, str], document: tuple[str, str]) -> None:
        self.result = result
        self.talk = talk
        self._before, self._after = document

    def document(self, made_at: str) -> str:
        """Return the plan's JSON text as one that was made at this time."""
        return f"{self._before}{made_at}{self._after}"


def question(site: str | None, variables: Sequence[str], *, allow_outside: bool) -> dict[str, Any]:
    """Say what was asked, of which program, by whom and where."""
    return {
        "program": _program(),
        "directory": os.getcwd(),
        "user": os.geteuid(),
        "site": site,
        "variables": list(variables),
        "allow_outside": allow_outside,
    }


def recall(
    asked: Mapping[str, Any],
    now: float,
    environment: Mapping[str, str] = os.environ,
    *,
    spread: Spread = at_once,
) -> RememberedPlan | None:
    """Return the remembered plan that answers a question now, if there is one and all it was made from is the same."""
    place = _place(asked, environment)
    if place is None:
        return None
    key, directory, name = place
    content = read_private(f"{directory}/{name}", largest=LARGEST)
    if content is None or not is_sealed(key, name, content[SEAL_BYTES:], content[:SEAL_BYTES]):
        return None
    head, before, after = content[SEAL_BYTES:].split(b"\0", 2)
    known = json.loads(head)
    if known["asked"] != asked or not known["from"] <= now < known["until"] or not _holds(known["evidence"], spread):
        return None
    return RememberedPlan(known["result"], known["talk"], (before.decode(), after.decode()))


def remember(
    asked: Mapping[str, Any],
    plan: RememberedPlan,
    *,
    evidence: Mapping[str, Any],
    interval: tuple[float, float],
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Remember a plan with what it was made from; a failure is silent, because nothing depends on it."""
    place = _place(asked, environment)
    if place is None:
        return
    key, directory, name = place
    known = {
        "asked": asked,
        "from": interval[0],
        "until": interval[1],
        "evidence": evidence,
        "result": plan.result,
        "talk": plan.talk,
    }
    content = b"\0".join((json.dumps(known).encode(), *(part.encode() for part in plan.document("\0").split("\0"))))
    with contextlib.suppress(OSError):
        write_atomically(directory, name, seal(key, name, content) + content)
        _remove_oldest(directory)


def evidence(
    *,
    inputs: Mapping[str, str],
    looks: Sequence[Sequence[object]],
    tree: str,
    tops: Sequence[str] | None,
    files: Mapping[str, str],
    directories: Mapping[str, KnownDirectory],
    begun: int,
    spread: Spread,
) -> dict[str, Any] | None:
    """Gather what a plan was made from; None where it cannot be said for certain.

    `inputs` are the digests of manifests by absolute path, `files` and `directories` those of the tree, as the plan saw
    them; `looks` what was looked for, with its answer. Nothing else in the tree may have changed since the plan was
    `begun` (nanoseconds of the file system's clock), so that the tree digested here is the one that was seen. `spread`
    walks beside itself.
    """
    try:
        # A file that has not changed since is what the plan saw.
        digest = TreeDigest(tree, tops, known=files, known_directories=directories, spread=spread)
    except NoDigestError:
        return None
    met = digest.met
    gone = {path for path, found in files.items() if found == "missing"}
    is_as_seen = met.known == len(files) - len(gone) and gone.isdisjoint(met.others)
    is_still = all(_is_still(look) for look in looks)
    if met.newest >= begun or not is_as_seen or not is_still or f"{tree}/.pkiplan/journal" in met.others:
        return None
    return {
        "inputs": dict(inputs),
        "looks": [list(look) for look in looks],
        "tree": tree,
        "real": os.path.realpath(tree),
        "tops": None if tops is None else sorted(tops),
        "digest": digest.hex,
    }


def is_unchanged(inputs: Mapping[str, str], looks: Sequence[Sequence[object]]) -> bool:
    """Tell whether files, by absolute path and digest, and answers to looks are what they were."""
    return all(_is_still(one) for one in looks) and all(_digest(path) == sha256 for path, sha256 in inputs.items())


def look(kind: str, *where: str) -> list[object]:
    """Look for something that a plan depends on, and return that with the answer."""
    return [kind, *where, _LOOKS[kind](*where)]


def _holds(known: Mapping[str, Any], spread: Spread) -> bool:
    if not is_unchanged(known["inputs"], known["looks"]):
        return False
    if os.path.realpath(known["tree"]) != known["real"]:
        return False
    try:
        return bool(TreeDigest(known["tree"], known["tops"], spread=spread).hex == known["digest"])
    except NoDigestError:
        return False


def _is_still(known: Sequence[Any]) -> bool:
    kind, *where, answer = known
    return bool(_LOOKS[kind](*where) == answer)


def _is_executable(path: str) -> bool:
    return os.path.exists(path) and bool(os.stat(path).st_mode & 0o111)


# What a manifest may depend on beside the texts of files.
_LOOKS: dict[str, Callable[..., object]] = {
    "exists": os.path.lexists,
    "executable": _is_executable,
    "listing": listing,
    "real": os.path.realpath,
}


def _digest(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def _program() -> list[Any]:
    """Say which program answers: its version, its files as they are installed, and its libraries'."""
    package = os.path.dirname(pkiplan.__file__)
    found = []
    for directory, directories, names in os.walk(package):
        directories[:] = sorted(name for name in directories if name != "__pycache__")
        for name in sorted(names):
            facts = os.stat(f"{directory}/{name}")
            found.append((directory, name, facts.st_size, facts.st_mtime_ns))
    files = hashlib.sha256(repr(found).encode()).hexdigest()
    libraries = [_stamp(os.path.join(path, name)) for path in sys.path for name in ("cryptography", "yaml", "jinja2")]
    return [pkiplan.__version__, sys.version, files, [stamp for stamp in libraries if stamp]]


def _stamp(path: str) -> list[Any] | None:
    try:
        return [path, os.stat(path).st_mtime_ns]
    except OSError:
        return None


def _place(asked: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[bytes, str, str] | None:
    directory = cache_directory(environment)
    key = None if directory is None else sealing_key(environment)
    if directory is None or key is None:
        return None
    where = {name: value for name, value in asked.items() if name != "program"}
    return key, directory, hashlib.sha256(json.dumps(where).encode()).hexdigest()[:32] + _SUFFIX


def _remove_oldest(directory: str) -> None:
    with os.scandir(directory) as entries:
        found = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.name) for entry in entries]
    plans = sorted((when, name) for when, name in found if name.endswith(_SUFFIX))
    for _, name in plans[:-MOST_PLANS]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
