"""What one run of the command line knows: its moment, its streams, and how they want to be written to."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

from pkiplan.diagnostics import Diagnostic
from pkiplan.errors import PkiplanError, system_words
from pkiplan.report.colour import ColourWish, is_coloured

if TYPE_CHECKING:
    import typer

# The code of the error that a result could not be written.
NOT_WRITTEN = "not-written"


class Session:
    """The clock (read once), the standard streams, and the global options.

    `is_json` tells that errors too are wanted as JSON; `is_stream`, that they are objects on a line each.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.environment = environment
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.colour_wish: ColourWish | None = None
        self.is_quiet = False
        self.is_verbose = False
        self.is_debugging = False
        self.is_json = False
        self.is_stream = False
        self.is_stream_begun = False
        self.is_loss_told = False
        self._unwritten: OSError | None = None

    def paints(self, stream: TextIO) -> bool:
        """Tell whether a stream gets colour."""
        return is_coloured(self.colour_wish, self.environment, is_terminal=is_terminal(stream))

    @property
    def paints_result(self) -> bool:
        """Tell whether the result gets colour."""
        return self.paints(sys.stdout)

    @property
    def is_attended(self) -> bool:
        """Tell whether a person can be asked: they see the question and can type an answer."""
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def result(self, text: str) -> None:
        """Write the result, to standard output; one that cannot be written is an error."""
        with _told_when_full():
            sys.stdout.write(text)

    def document(self, document: Mapping[str, Any]) -> None:
        """Write the result as one JSON document."""
        self.result(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def line(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object of a stream, on one line, at once."""
        self.is_stream_begun = True
        self.result(json.dumps(document, ensure_ascii=False) + "\n")
        self.flush()

    def flush(self) -> None:
        """Let the result be seen before anything is said or asked beside it."""
        with _told_when_full():
            if self._unwritten is not None:
                unwritten, self._unwritten = self._unwritten, None
                raise unwritten
            sys.stdout.flush()

    def tell(self, text: str) -> None:
        """Say something beside the result, unless quiet; whoever closed the pipe does not stop the work."""
        if not self.is_quiet:
            self._talk(text)

    def tell_from_handler(self, text: str) -> None:
        """Say something from within a signal's handler, which may have interrupted this very stream's own writing."""
        if not self.is_quiet:
            with suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), text.encode())

    def diagnose(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Show diagnostics, also when quiet."""
        found = tuple(diagnostics)
        if found:
            from pkiplan.report.diagnostics import diagnostic_text

            self._talk(diagnostic_text(found, colour=self.paints(sys.stderr)))

    def diagnosed(self, texts: Mapping[str, str]) -> None:
        """Show diagnostics that are texts already, by `plain` and `coloured`."""
        if texts:
            self._talk(texts["coloured" if self.paints(sys.stderr) else "plain"])

    def _talk(self, text: str) -> None:
        # In one pipe, what was written first stands first; a result that cannot be written is told at the end.
        try:
            sys.stdout.flush()
        except OSError as error:
            # Python drops what it could not write, and would flush in peace the next time.
            self._unwritten = error
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            # Nobody listens; an apply in flight must not die of it.
            point_at_nothing(sys.stderr)


def point_at_nothing(stream: object) -> None:
    """Let every further write succeed, the interpreter's own last flush among them, whatever is still buffered."""
    if isinstance(stream, io.TextIOWrapper):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


@contextmanager
def _told_when_full() -> Iterator[None]:
    """Turn a full disk into an error; a reader that has gone is the boundary's."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PkiplanError.of(f"cannot write the result: {system_words(error)}", code=NOT_WRITTEN) from None


def session_of(context: typer.Context, *, is_json: bool = False) -> Session:
    """Return the run's session; `is_json` tells that errors too are wanted as JSON."""
    session = cast("Session", context.find_root().obj)
    session.is_json = is_json
    return session


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a standard stream is there and is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()
