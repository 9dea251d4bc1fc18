"""One rendering for many: certificates that differ in a few plain words have the same `openssl.cnf` but for these.

A pattern is the file of one certificate with a mark in the place of each word of its own: its address, the name of its
directory, the values of its subject, its alternative names. It is made by rendering a certificate that has the marks
for words, so templates and quoting stay the only place where a text comes from. A word may stand in a pattern if no
quoting changes it: then it can be put where the mark is, and the text is what would have been rendered.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from operator import attrgetter

from pkiplan.model.extensions import Extension, SubjectAltName
from pkiplan.model.names import DistinguishedName, GeneralName, GeneralNameKind, NameAttribute
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.render.quoting import is_plain

# A directory's name stands in commands, where a shell leaves these as they are; an address stands in a comment.
_PLAIN_DIRECTORY = re.compile(r"[A-Za-z0-9._-]+")
_PLAIN_ADDRESS = re.compile(r'[A-Za-z0-9._\[\]"-]+')
_MARK = "0pkiplan0word0{}0"
_MARKS = re.compile(r"0pkiplan0word0(\d+)0")
# These kinds of names are written as they are. (An address of mail may be a word of OpenSSL's own.)
_WRITTEN_AS_THEY_ARE = frozenset({GeneralNameKind.DNS, GeneralNameKind.IP, GeneralNameKind.URI})
# Of so many shapes in a site the patterns are kept.
MOST_PATTERNS = 64

_OWN = frozenset({"address", "id", "element", "place", "subject", "extensions", "directory"})
_shared_fields = attrgetter(*(field.name for field in fields(Resource) if field.name not in _OWN))


@dataclass(slots=True)
class _Pattern:
    """The texts between the words, and which word follows each.

    `example` is a certificate that it was made for, `shared` what those like it have in common with that.
    """

    example: Resource
    parent: str
    shared: object
    texts: list[str]
    words: list[int]

    def fill(self, words: list[str]) -> str:
        parts = self.texts.copy()
        for position, number in enumerate(self.words):
            parts[position] += words[number]
        return "".join(parts)


class CnfPatterns:
    """Renders the certificates of a site; `render` is what makes a text of any resource."""

    def __init__(self, site: Site, render: Callable[[Site, Resource], str]) -> None:
        self._site = site
        self._render = render
        self._patterns: list[_Pattern] = []

    def text(self, resource: Resource) -> str:
        """Return the `openssl.cnf` of a resource; raise as `render` does."""
        words = None if self._site.templates is not None else _words(self._site, resource)
        if words is None:
            return self._render(self._site, resource)
        parent, shared = posixpath.dirname(resource.directory), _shared_fields(resource)
        for pattern in self._patterns:
            if pattern.parent == parent and pattern.shared == shared and _is_alike(pattern.example, resource):
                return pattern.fill(words)
        text = self._render(self._site, resource)
        if len(self._patterns) < MOST_PATTERNS:
            self._learn(resource, parent, words, text)
        return text

    def _learn(self, resource: Resource, parent: str, words: list[str], text: str) -> None:
        """Make a pattern, and keep it if it gives the very text that it shall stand for."""
        marked = self._render(self._site, _with_words(resource, map(_MARK.format, range(len(words)))))
        # Only a line with a backslash is ever broken into several, by where the backslash stands.
        if "\\" in marked:
            return
        texts = _MARKS.split(marked)
        numbers = [int(number) for number in texts[1::2]]
        pattern = _Pattern(resource, parent, _shared_fields(resource), texts[::2], numbers)
        if pattern.fill(words) == text:
            self._patterns.append(pattern)


def _words(site: Site, resource: Resource) -> list[str] | None:
    """List the words that are a certificate's own; None where they, or what it is, do not suit a pattern."""
    if resource.is_authority or resource.cert_path is not None or resource.key.path.startswith("/"):
        return None
    issuer = site.issuer_of(resource)
    if issuer is not None and not _is_written_by_its_place(issuer, resource):
        return None
    values = [attribute.value for rdn in resource.subject.rdns for attribute in rdn]
    for name in resource.names:
        if name.kind not in _WRITTEN_AS_THEY_ARE or not isinstance(name.value, str):
            return None
        values.append(name.value)
    directory = posixpath.basename(resource.directory)
    is_plain_place = _PLAIN_DIRECTORY.fullmatch(directory) and _PLAIN_ADDRESS.fullmatch(resource.address)
    return [directory, *values, resource.address] if is_plain_place and all(map(is_plain, values)) else None


def _is_written_by_its_place(issuer: Resource, resource: Resource) -> bool:
    """Tell whether the way to an issuer's files is the same from all directories that lie beside a certificate's."""
    parent = posixpath.dirname(resource.directory)
    is_beside = issuer.directory == parent or issuer.directory.startswith(f"{parent}/") or not parent
    return not is_beside and issuer.cert_path is None and not issuer.key.path.startswith("/")


def _with_words(resource: Resource, given: Iterator[str]) -> Resource:
    """Put other words in the place of a certificate's own, in the order of `_words`."""
    directory = posixpath.join(posixpath.dirname(resource.directory), next(given))
    rdns = tuple(tuple(NameAttribute(one.oid, next(given)) for one in rdn) for rdn in resource.subject.rdns)
    extensions = tuple(
        Extension(
            one.oid, one.critical, SubjectAltName(tuple(GeneralName(n.kind, next(given)) for n in one.value.names))
        )
        if isinstance(one.value, SubjectAltName)
        else one
        for one in resource.extensions
    )
    return replace(
        resource,
        directory=directory,
        subject=DistinguishedName(rdns),
        extensions=extensions,
        address=next(given),
    )


def _is_alike(one: Resource, other: Resource) -> bool:
    """Tell whether two certificates with all else in common differ in nothing but their own words."""
    return (
        len(one.extensions) == len(other.extensions)
        and all(map(_is_alike_extension, one.extensions, other.extensions))
        and _kinds(one.subject) == _kinds(other.subject)
    )


def _is_alike_extension(one: Extension, other: Extension) -> bool:
    if one is other:
        return True
    if isinstance(one.value, SubjectAltName) and isinstance(other.value, SubjectAltName):
        kinds = [name.kind for name in one.value.names]
        return one.critical == other.critical and kinds == [name.kind for name in other.value.names]
    return one == other


def _kinds(subject: DistinguishedName) -> list[list[str]]:
    return [[attribute.oid for attribute in rdn] for rdn in subject.rdns]
