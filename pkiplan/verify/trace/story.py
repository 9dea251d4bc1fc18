"""A traced handshake as a value: its messages in order, and the nine steps they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pkiplan.verify.results import ACCEPTED, Reason


class KeyExchange(StrEnum):
    """How both sides come to a common secret."""

    ECDHE = "ecdhe"
    RSA = "rsa"


class StepState(StrEnum):
    """What became of a step."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceMessage:
    """One message on the wire.

    `size` counts the bytes of the message itself, without record headers and padding. `facts` are label and
    value in the order of the message; a secret is never among them. `milliseconds` counts from the start.
    """

    number: int
    sender: str
    name: str
    size: int
    is_encrypted: bool
    facts: tuple[tuple[str, str], ...] = ()
    milliseconds: float = field(default=0.0, compare=False)

    @property
    def receiver(self) -> str:
        """Name the other side."""
        return "server" if self.sender == "client" else "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One of the nine steps: what happens in words, and by which messages (their numbers)."""

    number: int
    title: str
    text: str
    state: StepState
    messages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeTrace:
    """Everything that was said in one handshake, how it ended, and what to do about that where it is known."""

    server: str
    client: str | None
    host: str
    stack: str
    version: str
    cipher: str = ""
    group: str = ""
    accepted: bool
    reason: Reason = ACCEPTED
    messages: tuple[TraceMessage, ...]
    steps: tuple[TraceStep, ...]
    advice: str = ""
