"""Wrong usage, told as a person would tell it: what is wrong, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from typer import TyperException

from pkiplan.errors import PkiplanError
from pkiplan.hints import did_you_mean

# What the same option is called by tools that people come from.
_ELSEWHERE = {"--var": "--extra-vars", "--var-file": "--extra-vars", "--parallelism": "--jobs", "--forks": "--jobs"}


def usage_error(error: TyperException, arguments: Sequence[str]) -> PkiplanError:
    """Turn typer's complaint into ours; its own exit status 2 means something else to CI people."""
    # Only the base class is public in typer; what it was is seen by what it carries.
    context = getattr(error, "ctx", None)
    if context is not None and hasattr(error, "possibilities") and hasattr(error, "option_name"):
        return _unknown_option(_as_typed(str(error.option_name), arguments), context)
    message = " ".join(error.format_message().rstrip(".").split())
    return PkiplanError.of(message[:1].lower() + message[1:], hint=_see_help(context), code="usage")


def _unknown_option(typed: str, context: Any) -> PkiplanError:
    # `-out` is meant as Terraform's `--out`
    meant = f"--{typed.lstrip('-').partition('=')[0]}"
    known = _options_of(context)
    meant = _ELSEWHERE.get(meant, meant)
    hint = did_you_mean(meant, known, otherwise=_see_help(context))
    return PkiplanError.of(f"`{context.command_path}` has no option `{typed}`", hint=hint, code="usage")


def _as_typed(option: str, arguments: Iterable[str]) -> str:
    """Return the argument an option stood in: `-out` is read as `-o -u -t`, and the complaint is about `-o`."""
    return next((argument for argument in arguments if argument.startswith(option)), option)


def _options_of(context: Any) -> list[str]:
    chain = [context, *([context.parent] if context.parent else [])]
    return [name for level in chain for option in level.command.params for name in option.opts if name.startswith("--")]


def _see_help(context: Any) -> str:
    return f"`{context.command_path} --help` explains" if context is not None else ""
