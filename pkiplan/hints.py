"""Hints for a word that nobody knows: the nearest known one, or what is known."""

from __future__ import annotations

from collections.abc import Iterable

# Comparing takes time, which a hostile manifest could use; of more words than this the most alike at their ends are.
_MOST_CANDIDATES = 120
_LONGEST_WORD = 100
_MOST_LISTED = 14


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the known word that is most like a mistaken one, or None; case and the kind of dash do not count."""
    import difflib

    wanted = _folded(word[:_LONGEST_WORD])
    by_folded = {_folded(candidate): candidate for candidate in known}
    candidates = list(by_folded)
    if len(candidates) > _MOST_CANDIDATES:
        candidates.sort(key=lambda candidate: -_alike_at_the_ends(wanted, candidate))
    close = difflib.get_close_matches(wanted, candidates[:_MOST_CANDIDATES], n=1, cutoff=likeness)
    return by_folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Write the hint for a mistaken word: the nearest known one, else what is known."""
    candidates = sorted(known)
    close = nearest(word, candidates)
    if close is not None:
        return f"did you mean `{close}`?"
    return otherwise or (f"known: {listed(candidates)}" if candidates else "")


def listed(words: Iterable[str]) -> str:
    """Write words as `a`, `b` and `c`; a long list is cut."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) > _MOST_LISTED:
        return ", ".join(quoted[:_MOST_LISTED]) + f" and {len(quoted) - _MOST_LISTED} more"
    return ", ".join(quoted[:-1]) + " and " + quoted[-1] if len(quoted) > 1 else "".join(quoted)


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")


def _alike_at_the_ends(one: str, other: str) -> int:
    """Count the characters that two words have in common at their beginning, and at their end."""
    return _alike(one, other) + _alike(one[::-1], other[::-1])


def _alike(one: str, other: str) -> int:
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return position
    return min(len(one), len(other))
