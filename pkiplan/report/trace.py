"""A traced handshake as text, as data, and as a sequence diagram for Mermaid."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from pkiplan.report.diagnostics import FORMAT_VERSION
from pkiplan.report.text import counted, printable
from pkiplan.verify.trace.story import HandshakeTrace, StepState, TraceMessage, TraceStep

_WIDTH = 110
_SECRET = 4  # the step in which both come to a common secret
_MARKS = {
    StepState.DONE: "✓",
    StepState.SKIPPED: "-",
    StepState.FAILED: "✗",
    StepState.NOT_REACHED: "·",
}


def trace_text(trace: HandshakeTrace) -> str:
    """Write a trace: the messages as they went, then the nine steps they make up."""
    lines = [_headline(trace), printable(f"Over {trace.stack}. → is from the client, ← from the server.")]
    lines += ["", "Messages"]
    for message in trace.messages:
        lines += _message_lines(message)
    lines += ["", "The nine steps"]
    for step in trace.steps:
        lines += _step_lines(step)
    lines += ["", _verdict(trace)]
    if trace.advice:
        advice = printable(f"What to do: {trace.advice}")
        lines += textwrap.wrap(advice, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def trace_json(trace: HandshakeTrace) -> dict[str, Any]:
    """Give a trace as data."""
    return {
        "format_version": FORMAT_VERSION,
        "command": "verify --trace",
        "server": trace.server,
        "client": trace.client,
        "host": trace.host,
        "stack": trace.stack,
        "version": trace.version,
        "cipher": trace.cipher,
        "group": trace.group,
        "accepted": trace.accepted,
        "reason": {"code": trace.reason.code, "text": trace.reason.text, "by": trace.reason.by},
        "advice": trace.advice or None,
        "messages": [
            {
                "number": message.number,
                "sender": message.sender,
                "name": message.name,
                "size": message.size,
                "encrypted": message.is_encrypted,
                "milliseconds": round(message.milliseconds, 3),
                "facts": [{"label": label, "value": value} for label, value in message.facts],
            }
            for message in trace.messages
        ],
        "steps": [
            {
                "number": step.number,
                "title": step.title,
                "state": step.state.value,
                "text": step.text,
                "messages": list(step.messages),
            }
            for step in trace.steps
        ],
    }


def trace_mermaid(trace: HandshakeTrace) -> str:
    """Draw a trace as a Mermaid sequence diagram (https://mermaid.js.org/syntax/sequenceDiagram.html)."""
    lines = [
        "sequenceDiagram",
        f"    participant C as Client {_plain(trace.client or '(no certificate)')}",
        f"    participant S as Server {_plain(trace.server)}",
    ]
    notes = sorted((_begins_at(step, trace), step.number, step) for step in trace.steps)
    for message in trace.messages:
        while notes and notes[0][0] <= message.number:
            lines.append(_note(notes.pop(0)[2]))
        arrow = "C->>S" if message.sender == "client" else "S->>C"
        lock = " (encrypted)" if message.is_encrypted else ""
        lines.append(f"    {arrow}: {_plain(message.name)}, {counted(message.size, 'byte')}{lock}")
    lines += [_note(step) for _, _, step in notes]
    return "\n".join([*lines, f"    Note over C,S: {_plain(_verdict(trace))}"]) + "\n"


def _begins_at(step: TraceStep, trace: HandshakeTrace) -> int:
    """Give the number of the message before which a step is noted; what no message shows, where its cause is over."""
    if step.number == _SECRET:
        # The client's share completes it; what the server asks for before that is of its answer.
        shares = [number for number in step.messages if trace.messages[number - 1].sender == "client"]
        return min(shares, default=len(trace.messages) + 1)
    if step.messages:
        return min(step.messages)
    after = {3: ("Certificate", "server", "client"), 6: ("Finished", "client", "server")}.get(step.number)
    if after is None:
        return next((m.number for m in trace.messages if m.name == "Finished"), len(trace.messages) + 1)
    name, sender, answers = after
    seen = next((m.number for m in trace.messages if (m.name, m.sender) == (name, sender)), len(trace.messages))
    later = (m.number for m in trace.messages if m.number > seen and m.sender == answers)
    return next(later, len(trace.messages) + 1)


def _note(step: TraceStep) -> str:
    side = {3: "C", 6: "S"}.get(step.number, "C,S")
    state = "" if step.state is StepState.DONE else f" ({step.state.value})"
    return f"    Note over {side}: {step.number}. {_plain(step.title)}{state}"


def _headline(trace: HandshakeTrace) -> str:
    agreed = ", ".join(part for part in (trace.cipher, trace.group) if part)
    who = f"{trace.client or 'a client without certificate'} → {trace.server} as {trace.host}"
    return printable(f"TLS {trace.version}, {who}" + (f", {agreed}" if agreed else ""))


def _message_lines(message: TraceMessage) -> Iterator[str]:
    arrow = "→" if message.sender == "client" else "←"
    lock = ", encrypted" if message.is_encrypted else ""
    size = counted(message.size, "byte") + lock
    yield f"{message.number:>4} {arrow} {message.name}: {size}, after {message.milliseconds:.2f} ms"
    for label, value in message.facts:
        yield from textwrap.wrap(
            printable(f"{label}: {value}"), _WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 11
        )


def _step_lines(step: TraceStep) -> Iterator[str]:
    word = "message" if len(step.messages) == 1 else "messages"
    numbers = f" ({word} {', '.join(map(str, step.messages))})" if step.messages else ""
    yield f"{step.number:>4} {_MARKS[step.state]} {step.title}: {step.state.value}{numbers}"
    yield from textwrap.wrap(printable(step.text), _WIDTH, initial_indent=" " * 7, subsequent_indent=" " * 7)


def _verdict(trace: HandshakeTrace) -> str:
    if trace.accepted:
        return "Accepted: both sides finished, and bytes went both ways."
    by = f" by the {trace.reason.by}" if trace.reason.by else ""
    return printable(f"Refused{by}: {trace.reason.text}.")


def _plain(text: str) -> str:
    """Keep to what Mermaid takes as text: `;` and `#` mean something to it."""
    return printable(text).replace("#", "").replace(";", ",")
