"""What is told of a key that is being made."""

from __future__ import annotations

import pytest

from pkiplan.apply.key_making import told
from pkiplan.model.keys import Curve, EcKeySpec, KeySpec, ManagedKey, RsaKeySpec
from pkiplan.model.resource import Kind
from pkiplan.plan.changes import Action, Change, KeyStep
from tests.x509.values import certificate


@pytest.mark.parametrize(
    ("spec", "step", "expected"),
    [
        (EcKeySpec(Curve.P256), KeyStep.GENERATE, "generating ecdsa P-256"),
        (RsaKeySpec(4096), KeyStep.GENERATE, "generating rsa 4096"),
        (RsaKeySpec(8192), KeyStep.GENERATE, "generating rsa 8192, usually within 15 s"),
        (RsaKeySpec(8192), KeyStep.REENCODE, "rewriting rsa 8192"),
    ],
)
def test_what_takes_long_is_told_with_how_long(spec: KeySpec, step: KeyStep, expected: str) -> None:
    resource = certificate(key=ManagedKey(spec=spec))
    change = Change(
        address=resource.address,
        kind=Kind.CERTIFICATE,
        action=Action.CREATE,
        place=resource.place,
        findings=(),
        key=step,
    )
    assert told(resource, change) == expected
