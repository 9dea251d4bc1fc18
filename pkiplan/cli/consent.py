"""Ask a person before anything is changed; where nobody can answer, say at once which option does."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pkiplan.cli.interrupts import stopping_at_once
from pkiplan.cli.session import Session
from pkiplan.errors import PkiplanError


def demand_answerable(session: Session) -> None:
    """Refuse at once to ask where nobody can answer."""
    if not session.is_attended:
        raise PkiplanError.of(
            "apply asks before it changes anything, and there is no terminal to ask on",
            hint="say `--yes`, or name a saved plan: `pkiplan plan --out FILE`, then `pkiplan apply FILE`",
            code="no-consent",
        )


def ask(question: str, *, wanted: str) -> None:
    """Ask on the terminal, and go on only when exactly what is wanted is answered."""
    answer = _answer_to(f"{question}\nOnly `{wanted}` is accepted: ")
    sys.stderr.write("\n" if answer.endswith("\n") else "\n\n")
    if answer.strip() != wanted:
        raise PkiplanError.of("cancelled; nothing was changed", code="cancelled")


def passphrase_prompt(session: Session) -> Callable[[str], str] | None:
    """Return how a person is asked for a passphrase, or None where nobody can be asked."""
    if not session.is_attended:
        return None

    def prompt(text: str) -> str:
        from getpass import getpass

        with stopping_at_once():
            try:
                return getpass(f"{text}: ")
            except EOFError:
                raise PkiplanError.of("cancelled; nothing was changed", code="cancelled") from None

    return prompt


def _answer_to(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline()
