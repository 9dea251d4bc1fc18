"""What to do about text that is not YAML, by what libyaml says of it."""

from __future__ import annotations

import re

from pkiplan.manifest.problems import shown

# What libyaml says, and what to do about it.
_HINTS = {
    "expected ',' or": "a value within `{…}` or `[…]` that holds `: `, a comma or a bracket needs quotes",
    "cannot start any token": "text that begins with this character needs quotes",
    "incompatible YAML document": "YAML 1.1 and 1.2 are read; leave the `%YAML` line out",
    "expected <document start>": "a further document begins with a line `---`",
    "control characters": r"in double quotes it can be written as an escape, such as `\x07`",
    "could not find expected ':'": "a key ends with `: `; indentation decides what belongs to it",
    "unknown escape character": r"in double quotes a backslash is written `\\`; in single quotes it stands for itself",
    "did not find expected hex": r"after `\x` stand two hexadecimal digits, after `\u` four, after `\U` eight",
}

_PAIR = re.compile(r"([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HALF = re.compile(r"[dD][89a-fA-F][0-9a-fA-F]{2}")


def syntax_hint(problem: str, line: str, column: int, *, missing_colon: str) -> str:
    """Say how to mend what is wrong at a column of a line; `missing_colon` is what to ask of a map that is none."""
    before = line[: column + 1]
    if "\t" in before and not before.strip():
        return "YAML is indented with spaces, not with tabs"
    if "mapping values are not allowed" in problem:
        return missing_colon or "text with `: ` in it needs quotes"
    if "invalid Unicode character escape code" in problem:
        return _escape_hint(line[column:])
    for part, hint in _HINTS.items():
        if part in problem:
            return hint
    return 'put the template in quotes: `"{{ … }}"`' if "{{" in line else ""


def _escape_hint(digits: str) -> str:
    r"""Explain an escape that stands for no character (YAML 1.2, 5.7), from its digits on: JSON's pairs above all."""
    pair = _PAIR.match(digits)
    if pair is not None:
        code = 0x10000 + ((int(pair[1], 16) - 0xD800) << 10) + (int(pair[2], 16) - 0xDC00)
        return (
            rf"`\u{pair[1]}\u{pair[2]}` is how JSON writes one character; YAML wants `\U{code:08X}`, "
            f"or the character itself: {shown(chr(code))}"
        )
    if _HALF.match(digits):
        return r"half of one of JSON's surrogate pairs stands for no character; YAML wants `\U` and eight digits"
    return r"the last character is `\U0010FFFF`"
