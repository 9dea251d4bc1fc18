"""The built-in templates say the same whether they are filled in here or by Jinja, in whose language they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pkiplan.errors import PkiplanError
from pkiplan.model.resource import Resource
from pkiplan.render import built_in, render_cnf
from pkiplan.render.quoting import CnfText
from tests.render.sites import authority, dn, leaf, usual_site
from tests.render.test_cnf import EVERYTHING, GOLDEN_CASES

# Jinja fills in what an older version may have had; what is not there stands in today's templates.
NOTHING_OLDER = "/nonexistent"


def outcome(resource: Resource, older: str | None) -> str | list[str]:
    try:
        return render_cnf(usual_site(resource), resource, older_templates=older)
    except PkiplanError as error:
        return [diagnostic.summary for diagnostic in error.diagnostics]


@pytest.mark.parametrize(
    "resource",
    [
        *({**EVERYTHING, **GOLDEN_CASES}.values()),
        authority("issuing", "root"),
        leaf(subject=dn(("O", "a\nb"), ("CN", "x\x00"))),
    ],
)
def test_jinja_writes_the_same(resource: Resource) -> None:
    assert outcome(resource, None) == outcome(resource, NOTHING_OLDER)


@pytest.fixture
def filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Fill in a text that stands in the place of a template."""
    monkeypatch.setattr(built_in, "_DIRECTORY", str(tmp_path))
    built_in._template.cache_clear()

    def fill_in(text: str, **values: Any) -> str:
        (tmp_path / "one").write_text(text)
        built_in._template.cache_clear()
        return built_in.fill_in("one", values, [])

    yield fill_in
    built_in._template.cache_clear()


def test_what_is_printed_is_quoted(filled_in: Callable[..., str]) -> None:
    assert filled_in("a = {{ x }}\nb = {{ y }}\n", x="1;2", y=CnfText("1;2")) == "a = 1\\;2\nb = 1;2\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{% if x %}\n{% else %}\n{% endif %}\n", id="a statement"),
        pytest.param("{% if x == 1 %}\n{% endif %}\n", id="a condition"),
        pytest.param("{% for a in x | sort %}\n{% endfor %}\n", id="a loop"),
        pytest.param("{{ y }}\n", id="a name"),
    ],
)
def test_what_only_jinja_knows_is_not_passed_over(text: str, filled_in: Callable[..., str]) -> None:
    with pytest.raises((AssertionError, LookupError)):
        filled_in(text, x=1)
