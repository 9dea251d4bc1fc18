"""What an output format can do. Light to import: manifests are checked against the table of formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pkiplan.model.observed import OutputContents

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from pkiplan.x509.keys import PrivateKey

OptionValue = str | int | bool
Options = Mapping[str, OptionValue]


class PassphraseUse(StrEnum):
    """What a format does with a passphrase."""

    NONE = "none"
    OPTIONAL = "optional"
    NEEDED = "needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMaterial:
    """What goes into an output: the certificate, the chain above it without the root, its key, and a name."""

    certificate: Certificate
    chain: tuple[Certificate, ...]
    key: PrivateKey | None = field(default=None, repr=False)
    name: str


class OutputFormat(Protocol):
    """Encodes an output and reads it back; contents are compared, never bytes, because some formats are salted.

    `options` are those a manifest may give, each with its values, the default first. `default_mode` is 0600 where
    the file holds a private key.
    """

    @property
    def needs_key(self) -> bool:
        """Tell whether the file holds the private key."""

    @property
    def passphrase_use(self) -> PassphraseUse:
        """Tell what a passphrase does."""

    @property
    def default_mode(self) -> int:
        """Return the permission bits of the file where the manifest gives none."""

    @property
    def options(self) -> Mapping[str, tuple[OptionValue, ...]]:
        """List the options with their values, the default first."""

    def check_options(self, options: Options) -> list[str]:
        """Say what is wrong with the options a manifest gives."""

    def encode(self, material: OutputMaterial, passphrase: bytes | None, options: Options) -> bytes:
        """Encode an output."""

    def read(self, data: bytes, passphrases: Sequence[bytes], options: Options) -> OutputContents:
        """Tell what a file holds; raises KeyMaterialError for one that is damaged or that no passphrase opens."""


class FormatOptions:
    """The options of a format: checked alike by all, because all are closed lists."""

    options: Mapping[str, tuple[OptionValue, ...]] = {}

    def check_options(self, options: Options) -> list[str]:
        """Say what is wrong with the options a manifest gives."""
        return [problem for name, value in options.items() if (problem := self._option_problem(name, value))]

    def _option_problem(self, name: str, value: OptionValue) -> str | None:
        allowed = self.options.get(name)
        if allowed is None:
            known = ", ".join(f"`{option}`" for option in self.options)
            return f"unknown option `{name}` ({f'known: {known}' if known else 'it has none'})"
        if not any(value == choice and type(value) is type(choice) for choice in allowed):
            return f"option `{name}` is {_shown(value)}, allowed are {', '.join(_shown(choice) for choice in allowed)}"
        return None

    def chosen(self, name: str, options: Options) -> OptionValue:
        """Return the value of an option, the default where none is given."""
        return options.get(name, self.options[name][0])


def _shown(value: OptionValue) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
