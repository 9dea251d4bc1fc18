"""`openssl.cnf` as OpenSSL reads it (config(5)), as far as is needed before OpenSSL is let at it.

A template of the site's own may say anything: load an engine, include a file, put the database of serial numbers
somewhere else. Such a text is not run.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

DEFAULT = "default"

# `openssl ca` reads and writes these; there is no option in place of them.
_WRITTEN = ("database", "new_certs_dir", "serial", "crlnumber", "crl", "certs", "dir")
# These load code, or files of anybody's.
_LOADING = (
    "openssl_conf",
    "openssl_init",
    "engines",
    "engine_id",
    "dynamic_path",
    "oid_file",
    "RANDFILE",
    "rand_serial",
)

# The extension whose `policy` may be `file:PATH` (X509V3 of OpenSSL, v3_pci.c), and the ways to give it by its octets.
_PROXY_CERT_INFO = ("proxyCertInfo", "1.3.6.1.5.5.7.1.14")
_OCTETS = re.compile(r"(?:critical,[ \t]*)?(?:DER|ASN1):")

# Only these are blanks to OpenSSL, and it takes all that ends a line off it before it looks for a backslash there.
_BLANKS = " \t\r\n"
_LINE_END = re.compile(r"\r+\n")
_CONTINUATION = re.compile(r"(?<!\\)\\\n")
_ESCAPED_OR_COMMENT = re.compile(r"\\.|#")
_ESCAPE = re.compile(r"\\(.)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# An expansion or a quote, unless a backslash stands before it.
_INTERPRETED = re.compile(r"(?<!\\)(?:\\\\)*[$\"'`]")


class UnreadableCnfError(ValueError):
    """The text is not one that is run; the message says why."""


Sections = Mapping[str, Mapping[str, str]]


def read_cnf(text: str) -> Sections:
    """Read the settings by section; raise `UnreadableCnfError` for what goes beyond settings in sections."""
    if "\0" in text:
        # OpenSSL takes what follows it in its line for nothing, and the next line for the rest of this one.
        raise UnreadableCnfError("it holds a NUL")
    sections: dict[str, dict[str, str]] = {DEFAULT: {}}
    current = sections[DEFAULT]
    for line in _lines(text):
        # No regular expressions: with several `\s*` in them a line of blanks takes time by its square.
        key, sets, value = line.partition("=")
        if (section := _section_begun(line.strip(_BLANKS))) is not None:
            current = sections.setdefault(section, {})
        elif sets and not key.lstrip(_BLANKS).startswith("["):
            current[key.strip(_BLANKS)] = value.strip(_BLANKS)
        else:
            raise UnreadableCnfError(f"it has a line that is no setting: {line.strip(_BLANKS)}")
    return sections


def _section_begun(line: str) -> str | None:
    inside = line[1:-1]
    is_one = len(line) > 1 and line[0] == "[" and line[-1] == "]" and "]" not in inside
    return inside.strip(_BLANKS) if is_one else None


def _lines(text: str) -> Iterator[str]:
    # OpenSSL skips a byte order mark since 3.0, and before takes it for a letter of the first word.
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff"))
    for line in _CONTINUATION.sub("", text).split("\n"):
        content = _without_comment(line)
        if content.strip(_BLANKS):
            yield content


def _without_comment(line: str) -> str:
    begins = next((found.start() for found in _ESCAPED_OR_COMMENT.finditer(line) if found[0] == "#"), None)
    return line[:begins]


def value_of(sections: Sections, section: str, key: str) -> str | None:
    """Return a value as OpenSSL takes it, or None; a setting that is not there is looked for in the default section."""
    written = _written(sections, section, key)
    return None if written is None else _ESCAPE.sub(r"\1", written)


def _written(sections: Sections, section: str, key: str) -> str | None:
    return sections.get(section, {}).get(key, sections.get(DEFAULT, {}).get(key))


def leads_inside(sections: Sections, section: str, key: str, directory: str) -> bool:
    """Tell whether a setting, seen from a directory of a tree, names a file of that tree, whatever OpenSSL expands."""
    written = _written(sections, section, key)
    return written is not None and _is_plainly_within(directory, written)


def check_harmless(sections: Sections, directory: str) -> None:
    """Raise `UnreadableCnfError` unless OpenSSL, run in a directory of a tree, will stay within the tree.

    The directory is relative to the tree's root.
    """
    for section, settings in sections.items():
        for written_key, written in settings.items():
            # `section::key` is set in that section; `.include = file` is a setting only in looks.
            key = written_key.rpartition("::")[2]
            if key in _LOADING or key.startswith("."):
                raise UnreadableCnfError(f"it sets `{written_key}` in [{section}]")
            if _reads_a_file(key) and not _OCTETS.match(written):
                raise UnreadableCnfError(
                    f"`{written_key}` in [{section}] may read any file; it is taken as `DER:` only"
                )
            if key in _WRITTEN and not _is_plainly_within(directory, written):
                raise UnreadableCnfError(
                    f"`{written_key} = {written}` in [{section}] is not within the site's directory"
                )


def _is_plainly_within(directory: str, written: str) -> bool:
    return not _INTERPRETED.search(written) and is_within(directory, _ESCAPE.sub(r"\1", written))


def _reads_a_file(key: str) -> bool:
    # Leading zeros make no other object identifier.
    arcs = [arc.lstrip("0") for arc in key.split(".")]
    return ".".join(arcs) in _PROXY_CERT_INFO


def is_within(directory: str, path: str) -> bool:
    """Tell whether a path, seen from a directory of a tree, stays within the tree; a URI leads anywhere."""
    if path.startswith("/") or _URI.match(path):
        return False
    return posixpath.normpath(f"{directory}/{path}").split("/")[0] != ".."
