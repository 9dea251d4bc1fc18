"""Every field of the model is either compared or not, and the table says which."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

from pkiplan.model import keys, observed, resource, validity
from pkiplan.plan.certificate import CHECKS
from pkiplan.plan.compared import COMPARED, NOT_COMPARED

MODELS = (
    resource.Resource,
    resource.Output,
    resource.CrlSettings,
    validity.Validity,
    keys.ManagedKey,
    keys.ExternalKey,
    keys.KeyEncryption,
    keys.FileAttributes,
    observed.FileFacts,
    observed.ObservedKey,
    observed.ObservedCertificate,
    observed.OutputContents,
    observed.ObservedFile,
    observed.ObservedResource,
    observed.ObservedState,
)
FIELDS = {f"{model.__name__}.{field.name}" for model in MODELS for field in dataclasses.fields(model)}


def test_every_field_is_in_one_of_the_tables() -> None:
    assert COMPARED.keys() | NOT_COMPARED.keys() == FIELDS
    assert not COMPARED.keys() & NOT_COMPARED.keys()


@pytest.mark.parametrize("where", sorted(set(COMPARED.values())))
def test_what_compares_a_field_exists(where: str) -> None:
    module, name = where.split(".")

    assert callable(getattr(importlib.import_module(f"pkiplan.plan.{module}"), name))


def test_every_check_of_the_table_compares_something() -> None:
    listed = {where.removeprefix("certificate.") for where in COMPARED.values()}

    # Both ask whether the dates fit the clock and the issuer, by fields that other checks compare too.
    assert CHECKS.keys() - listed == {"outlives_issuer", "not_yet_valid"}
