"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pkiplan.cli.addresses import addresses
from pkiplan.errors import PkiplanError

if TYPE_CHECKING:
    from pkiplan.cli.session import Session
    from pkiplan.plan.changes import PlanOptions
    from pkiplan.workflow import PlanRequest

_SITE_HELP = "The manifest, a file or a directory; without it site.yaml, then site.yml."

Site = Annotated[str | None, typer.Argument(metavar="[SITE]", help=_SITE_HELP, show_default=False)]
SiteOption = Annotated[str | None, typer.Option("--site", metavar="SITE", help=_SITE_HELP)]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "-e", "--extra-vars", metavar="KEY=VALUE|@FILE", help="Set a variable of the manifest, or all of a file."
    ),
]
AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside", help="Let the manifest reach out of its own directory (or PKIPLAN_ALLOW_OUTSIDE=1)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, with a format_version.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Answer as of this time: 2027-03-01, 2027-03-01T12:00:00Z, or +90d."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="ADDRESS",
        help="Only this resource (globs too) and what it depends on.",
        autocompletion=addresses,
    ),
]
Replace = Annotated[
    list[str] | None,
    typer.Option(
        "--replace",
        metavar="ADDRESS",
        help="Renew this resource although it is sound; beside --target, one of what that names.",
        autocompletion=addresses,
    ),
]
Rekey = Annotated[bool, typer.Option("--rekey", help="Give a new key to what --replace names.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove what was made by pkiplan and is no longer declared.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="ADDRESS",
        help="Allow that this authority is re-keyed or removed.",
        autocompletion=addresses,
    ),
]
AllowMany = Annotated[
    bool, typer.Option("--allow-many", help="Allow that more than half of a site is modified, re-keyed or removed.")
]

# As typer reads the environment for an option that is yes or no: click/types.py, BoolParamType.
_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO = frozenset({"", "0", "false", "f", "no", "n", "off"})


def plan_options(
    *,
    targets: list[str] | None,
    replace: list[str] | None,
    rekey: bool,
    prune: bool,
    allow: list[str] | None,
    allow_many: bool,
) -> PlanOptions:
    """Gather what was asked for; the same options in another order are the same."""
    if rekey and not replace:
        raise PkiplanError.of(
            "`--rekey` needs `--replace`", hint="name what gets a new key: `--replace ADDRESS --rekey`", code="usage"
        )
    from pkiplan.plan.changes import PlanOptions

    return PlanOptions(
        targets=_sorted(targets),
        replace=_sorted(replace),
        rekey=rekey,
        prune=prune,
        allow=_sorted(allow),
        allow_many=allow_many,
    )


def request(
    session: Session,
    site: str | None,
    *,
    variables: list[str] | None,
    allow_outside: bool,
    at: str | None = None,
    options: PlanOptions | None = None,
) -> PlanRequest:
    """Say which site is to be looked at, with which variables, and for which time."""
    from pkiplan.plan.changes import PlanOptions
    from pkiplan.workflow import PlanRequest

    return PlanRequest(
        site=site,
        now=session.now if at is None else moment(at, session.now),
        is_pretended=at is not None,
        variables=tuple(variables or ()),
        options=options or PlanOptions(),
        allow_outside=allow_outside or _is_outside_allowed(session.environment),
    )


def question(
    session: Session, site: str | None, *, variables: list[str] | None, allow_outside: bool
) -> dict[str, Any] | None:
    """Say what a plain `plan` asks, for a memory of it; None where it shall say more than that memory holds."""
    from pkiplan.cache import remembered_plan

    if session.is_verbose:
        return None
    return remembered_plan.question(
        site,
        variables or (),
        allow_outside=allow_outside or _is_outside_allowed(session.environment),
    )


def _is_outside_allowed(environment: Mapping[str, str]) -> bool:
    word = environment.get("PKIPLAN_ALLOW_OUTSIDE", "").strip().lower()
    if word not in _YES | _NO:
        raise PkiplanError.of(
            f"PKIPLAN_ALLOW_OUTSIDE is `{word}`, which is neither yes nor no",
            hint="set it to 1 to let manifests reach out of their own directories, to 0 or nothing not to",
            code="usage",
        )
    return word in _YES


def _sorted(words: list[str] | None) -> tuple[str, ...]:
    return tuple(sorted(set(words or ())))


def moment(text: str, now: datetime) -> datetime:
    """Read a time: RFC 3339, a date, or `+90d` from now."""
    from pkiplan.manifest import durations
    from pkiplan.manifest.values import BadValueError

    try:
        if text.startswith("+"):
            return now + durations.duration(text[1:])
        return durations.moment(text)
    except BadValueError as error:
        raise _bad_value("--at", error) from None


def host_name(option: str, text: str) -> str:
    """Read a DNS name (IDN in Unicode, too) or an IP address that was given to an option."""
    from pkiplan.manifest import verify_rules
    from pkiplan.manifest.values import BadValueError

    try:
        return verify_rules.host_name(text)
    except BadValueError as error:
        raise _bad_value(option, error) from None


def duration(option: str, text: str) -> timedelta:
    """Read a duration that was given to an option: `30d`, `12h`."""
    from pkiplan.manifest import durations
    from pkiplan.manifest.values import BadValueError

    try:
        return durations.duration(text)
    except BadValueError as error:
        raise _bad_value(option, error) from None


def _bad_value(option: str, error: Exception) -> PkiplanError:
    return PkiplanError.of(f"`{option}`: {error}", hint=getattr(error, "hint", ""), code="usage")
