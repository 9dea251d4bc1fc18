"""Keys and references in the words a person reads."""

from __future__ import annotations

import pytest

from pkiplan.model.keys import Curve, EcKeySpec, EdKeySpec, KeyEncryption, MlDsaKeySpec, OtherKey, RsaKeySpec
from pkiplan.model.secret_references import (
    CommandSecret,
    EnvSecret,
    FdSecret,
    FileSecret,
    PromptSecret,
    SystemdSecret,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (RsaKeySpec(4096), "rsa 4096"),
        (EcKeySpec(Curve.P384), "ecdsa P-384"),
        (EdKeySpec("ed25519"), "ed25519"),
        (MlDsaKeySpec(65), "ml-dsa-65"),
        (OtherKey("dsa 1024"), "dsa 1024"),
        (KeyEncryption(), "aes-256-cbc, pbkdf2-hmac-sha256, 600000 rounds"),
        (EnvSecret("ROOT"), "{env: ROOT}"),
        (FileSecret("pass"), "{file: pass}"),
        (CommandSecret(("pass", "show", "root")), "{command: [pass, show, root]}"),
        (PromptSecret("Passphrase"), "{prompt: Passphrase}"),
        (FdSecret(3), "{fd: 3}"),
        (SystemdSecret("root"), "{systemd: root}"),
    ],
)
def test_text(value: object, text: str) -> None:
    assert str(value) == text
