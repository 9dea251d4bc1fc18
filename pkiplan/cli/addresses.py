"""Complete addresses on the command line from the manifest that is there."""

from __future__ import annotations

import os

import typer

from pkiplan.errors import PkiplanError


def addresses(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:  # noqa: ARG001 - typer's signature
    """List the addresses that begin so, elements without quotes; a manifest that cannot be read has none."""
    from pkiplan import workflow

    directory = ctx.find_root().params.get("chdir")
    site = ctx.params.get("site") or ctx.params.get("source")
    try:
        if directory is not None:
            os.chdir(directory)
        _, declared = workflow.load(site)
    except (OSError, PkiplanError):
        return []
    every = (resource.address.replace('"', "") for resource in declared)
    return [address for address in every if address.startswith(incomplete) and not any(map(str.isspace, address))]
