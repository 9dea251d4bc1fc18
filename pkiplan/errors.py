"""What may go wrong. Only `cli/boundary.py` decides how an error looks."""

from __future__ import annotations

from collections.abc import Iterable

from pkiplan.diagnostics import Diagnostic

# The code of the diagnostic that says so.
WRONG_PASSPHRASE = "wrong-passphrase"  # noqa: S105 - a code, no password


class PkiplanError(Exception):
    """An expected failure, told by diagnostics; never a traceback. Exit status 1."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(diagnostic.summary for diagnostic in diagnostics))
        self.diagnostics = diagnostics

    @classmethod
    def of(cls, summary: str, *, hint: str = "", code: str = "") -> PkiplanError:
        """Make an error that has no place in a file."""
        return cls(Diagnostic(summary=summary, hint=hint, code=code))


class ManifestError(PkiplanError):
    """The manifests cannot be used; every problem found is among the diagnostics."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__(*diagnostics)


class StalePlanError(PkiplanError):
    """A saved plan does not fit what is there now; the diagnostics name each difference."""


class SecretError(PkiplanError):
    """A secret reference cannot be resolved, or does not open what it should; never holds a value."""


class KeyMaterialError(PkiplanError):
    """A private key cannot be read, parsed, opened or written."""


class UnusableKeyError(KeyMaterialError):
    """A key is sound, but of a kind or in a form that is not used here."""


class LockedError(PkiplanError):
    """Another apply works on the same site."""


class InterruptedByUserError(PkiplanError):
    """The user or the system asked to stop (Ctrl-C, SIGTERM). Exit status 130."""


def system_words(error: OSError) -> str:
    """Say in the system's words why it refused; without such words the kind, since any other text may hold a secret."""
    return (error.strerror or type(error).__name__).lower()


def kind_and_place(error: BaseException) -> str:
    """Tell of an error that is not ours by its kind and the line that it comes from; its text may hold a secret."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.filename.rpartition('/')[2]}:{frame.lineno}"
