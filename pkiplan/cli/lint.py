"""`pkiplan lint`."""

from __future__ import annotations

from typing import Annotated

import typer

from pkiplan.cli import options, statuses
from pkiplan.cli.session import session_of
from pkiplan.diagnostics import has_errors
from pkiplan.errors import PkiplanError

EPILOG = """\
\b
Examples:
  pkiplan lint fullchain.pem root.pem        a chain, against everything that is at hand
  pkiplan lint old.der --disable plain-locations
  pkiplan lint --rules                       what is asked, and which standard says so

\b
Exit status: 0 no errors (there may be warnings), 1 errors.
"""


def lint(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Certificates in PEM or DER: single, chains, bundles."),
    ] = None,
    *,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules instead.")] = False,
    disable: Annotated[list[str] | None, typer.Option("--disable", metavar="RULE", help="Leave this rule out.")] = None,
    at: options.At = None,
    json: options.Json = False,
) -> int:
    """Find what is wrong with certificates, whoever made them.

    Each is held against the rules of its standards, and against its issuers, as far as they are among the files:
    signature, key identifiers, path lengths, purposes, name constraints. Where pkilint is installed (`pip
    install pkiplan[lint]`), its rules are asked too. What a manifest declares is held against the same rules
    by `plan`, before anything is signed.
    """
    session = session_of(ctx, is_json=json)
    from pkiplan.report import lint as views
    from pkiplan.workflow import linting

    if rules:
        if files:
            raise PkiplanError.of("`--rules` takes no files", code="usage")
        listed = linting.lint_rules()
        if json:
            session.document(views.rules_json(listed))
        else:
            session.result(views.rules_text(listed, colour=session.paints_result))
        return statuses.DONE
    if not files:
        raise PkiplanError.of("nothing to lint", hint="name files: `pkiplan lint cert.pem`", code="usage")
    now = session.now if at is None else options.moment(at, session.now)
    found = linting.lint(files, now=now, disabled=disable or ())
    if json:
        session.document(views.lint_json(found))
    else:
        session.result(views.lint_text(found, colour=session.paints_result))
    return statuses.FAILED if has_errors(found.diagnostics) else statuses.DONE
