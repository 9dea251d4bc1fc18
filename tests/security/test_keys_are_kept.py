"""A private key is its owner's from birth, never replaced unless the plan said so, and an authority's never goes."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
from pathlib import Path

import pytest

from pkiplan.plan.changes import PlanOptions
from tests.apply.workbench import AUTHORITIES, Workbench
from tests.security.site import CHANGES, Place


def test_a_key_file_is_born_private_and_exclusively_whatever_the_umask(empty: Place) -> None:
    before = os.umask(0)
    try:
        ran = empty.traced("apply", "site.yaml", "--yes", "--no-verify", calls=CHANGES)
    finally:
        os.umask(before)

    born = [
        call for call in ran.changes() if call.startswith("openat(") and re.search(r'key\.pem"|all\.pem"|\.p12"', call)
    ]
    assert ran.status == 0
    assert len(born) == 6
    for call in born:
        assert re.search(r"O_CREAT\|O_EXCL|O_EXCL.*O_CREAT", call), call
        assert "O_NOFOLLOW" in call, call
        assert re.search(r", 0600\b", call), call
    assert [call for call in ran.changes() if "chmod" in call and "key.pem" in call] == []


EDITS = (
    ("days: 90", "days: 60"),
    ("www.acme.example", "new.acme.example"),
    ("days: 1095", "days: 900"),
    ("Acme Issuing", "Acme Issuing 2"),
    ("ecdsa-p256", "ecdsa-p384"),
    ("reuse_key: true", "reuse_key: false"),
    ("  job:", "  task:"),
)
SITE = (
    AUTHORITIES
    + """\
certificates:
  web: {issuer: issuing, dns: [www.acme.example], key: ecdsa-p256, days: 90, reuse_key: true}
  job: {issuer: issuing, dns: [job.acme.example], key: ecdsa-p256, days: 90}
"""
)


@pytest.mark.parametrize("seed", range(12))
def test_a_key_changes_only_where_the_plan_said_so(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    bench = Workbench(tmp_path).write(SITE)
    bench.applied()
    edited = SITE
    for old, new in chooser.sample(EDITS, chooser.randint(1, 4)):
        edited = edited.replace(old, new)
    bench.write(edited)
    place = Place(tmp_path)
    before = place.keys()
    allowed = PlanOptions(allow=("authority.root", "authority.issuing"), allow_many=True)
    planned = {change.address: change.key for change in bench.plan(allowed).changes}

    bench.apply(allowed)

    after = place.keys()
    assert set(before) <= set(after)
    for path in before:
        kind, name = path.split("/")[1:3]
        address = f"{'authority' if kind == 'authorities' else 'certificate'}.{name}"
        is_said = planned.get(address, "keep") == "generate"
        assert (before[path] != after[path]) == is_said, address


FLAGS = ("--prune", "--allow-many", "--replace=certificate.*", "--allow-outside", "--target=certificate.web")


@pytest.mark.parametrize("manifest", ["as it is", "no certificates", "no authority at all"])
def test_no_flag_but_its_own_name_touches_an_authoritys_key(place: Place, tmp_path: Path, manifest: str) -> None:
    text = (place.path / "site.yaml").read_text()
    if manifest == "no certificates":
        text = text.partition("certificates:")[0]
    elif manifest == "no authority at all":
        text = "version: 1\nsite: acme\ndirectory: pki\ncertificates: {x: {self_signed: true, dns: [x.example]}}\n"
    keys = {path.read_bytes() for path in place.tree.glob("authorities/*/key.pem")}
    combinations = [c for size in range(len(FLAGS) + 1) for c in itertools.combinations(FLAGS, size)]
    chosen = [("--prune",), ("--prune", "--allow-many"), *random.Random(manifest).sample(combinations, 1)]
    for number, flags in enumerate(chosen):
        shutil.copytree(place.path, tmp_path / str(number), symlinks=True)
        here = Place(tmp_path / str(number)).write(text)

        here.run("apply", "site.yaml", "--yes", "--no-verify", *flags)

        still = {path.read_bytes() for path in here.tree.rglob("key.pem")}
        assert keys <= still, flags
        if manifest != "no authority at all":
            assert keys == {path.read_bytes() for path in here.tree.glob("authorities/*/key.pem")}, flags


def test_an_authoritys_key_that_cannot_be_read_is_never_made_anew(place: Place) -> None:
    key = place.tree / "authorities/issuing/key.pem"
    for content in (b"", b"garbage", key.read_bytes()[:100]):
        key.write_bytes(content)

        ran = place.run("apply", "site.yaml", "--yes", "--no-verify", "--replace", "certificate.web")

        assert ran.status == 1
        assert "damaged" in ran.out + ran.err
        assert key.read_bytes() == content
