"""What `pkiplan show` shows: certificates with what stands above them, and how they differ from the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pkiplan.diagnostics import Place
from pkiplan.model.observed import ObservedCertificate
from pkiplan.plan.changes import Change, Plan

# An effective field of a resource by the manifest's path, its value as text, and where it was declared.
Origin: TypeAlias = tuple[str, str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """One certificate to look at.

    `title` is the address of a resource, or the file and position the certificate was found at. `certificate` is
    None for a resource that does not exist yet. `chain` holds what issued it, nearest first, as far as it is at
    hand. `change` is what `plan` would do, and None where there is no manifest to compare with or nothing
    to do; `is_declared` tells the two apart. `origins` are given for declared resources. `pem` is the
    certificate itself.
    """

    title: str
    path: str
    certificate: ObservedCertificate | None
    chain: tuple[ObservedCertificate, ...] = ()
    is_declared: bool = False
    place: Place | None = None
    change: Change | None = None
    origins: tuple[Origin, ...] = ()
    pem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that one argument of `show` named, at the moment it is judged for."""

    now: datetime
    certificates: tuple[ShownCertificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPlan:
    """A saved plan to look at, read back and as it stands in the file."""

    plan: Plan
    document: dict[str, Any]
