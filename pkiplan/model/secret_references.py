"""References to secrets: where a passphrase comes from, never the passphrase itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvSecret:
    """The value of an environment variable."""

    name: str

    def __str__(self) -> str:
        return f"{{env: {self.name}}}"


@dataclass(frozen=True, slots=True)
class FileSecret:
    """The first line of a file; a relative path counts from the manifest that names it."""

    path: str

    def __str__(self) -> str:
        return f"{{file: {self.path}}}"


@dataclass(frozen=True, slots=True)
class CommandSecret:
    """The first line a command prints, run without a shell."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"{{command: [{', '.join(self.argv)}]}}"


@dataclass(frozen=True, slots=True)
class PromptSecret:
    """What a person types at the terminal when asked."""

    text: str

    def __str__(self) -> str:
        return f"{{prompt: {self.text}}}"


@dataclass(frozen=True, slots=True)
class FdSecret:
    """The first line read from an inherited file descriptor."""

    number: int

    def __str__(self) -> str:
        return f"{{fd: {self.number}}}"


@dataclass(frozen=True, slots=True)
class SystemdSecret:
    """A credential that systemd passed to the unit (`$CREDENTIALS_DIRECTORY`)."""

    name: str

    def __str__(self) -> str:
        return f"{{systemd: {self.name}}}"


SecretReference = EnvSecret | FileSecret | CommandSecret | PromptSecret | FdSecret | SystemdSecret
