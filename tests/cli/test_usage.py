"""Wrong usage: exit status 1, one clear message, and what was probably meant."""

from __future__ import annotations

import pytest

from pkiplan.cli.commands import COMMANDS
from pkiplan.cli.global_options import first
from tests.cli.conftest import Here


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pln", ["no command `pln`", "did you mean `plan`?"]),
        ("xyzzy", ["no command `xyzzy`", "there are init, validate, plan"]),
        ("plan -out x", ["`pkiplan plan` has no option `-out`", "did you mean `--out`?"]),
        ("plan --taget web", ["`pkiplan plan` has no option `--taget`", "did you mean `--target`?"]),
        ("plan -var a=b", ["has no option `-var`", "did you mean `--extra-vars`?"]),
        ("plan --colour never", ["has no option `--colour`", "did you mean `--color`?"]),
        ("plan -target=web", ["has no option `-target=web`", "did you mean `--target`?"]),
        ("plan --xyzzy", ["has no option `--xyzzy`", "`pkiplan plan --help` explains"]),
        ("plan a.yaml b.yaml", ["unexpected extra argument", "`pkiplan plan --help` explains"]),
        ("plan --out", ["'--out' requires an argument"]),
        ("apply --jobs 0", ["invalid value for '--jobs'"]),
        ("apply --jobs many", ["invalid value for '--jobs'"]),
        ("apply --lock-timeout soon", ["`--lock-timeout`: expected a duration, not `soon`"]),
        ("plan --at yesterday", ["`--at`: expected a date and time, not `yesterday`", "RFC 3339"]),
        ("plan --at +3640000d", ["`--at`: the duration `3640000d` reaches beyond the year 9999"]),
        ("plan --at +1d --out x", ["--out", "cannot be saved"]),
        ("plan --rekey", ["`--rekey` needs `--replace`"]),
        ("status --detailed-exitcode", ["`--detailed-exitcode` needs `--expiring-within`"]),
        ("status --expiring-within 30", ["`--expiring-within`: expected a duration, not `30`"]),
        ("verify --client certificate.ops", ["`--client` without `--trace ADDRESS`"]),
        ("verify --with openssl,wolfssl", ["`--with` knows no stack `wolfssl`", "`openssl`, `gnutls`, `curl`"]),
        ("verify --with openssl --trace web", ["`--with` does not go with `--trace`"]),
        ("verify --with ,", ["`--with` names no stack"]),
        ("verify --trace web --full", ["`--full` does not go with `--trace`"]),
        ("verify --trace web --junit x.xml", ["`--junit` does not go with `--trace`"]),
        ("verify --cnf --sample 3", ["`--sample` does not go with `--cnf`"]),
        ("verify --tls 1.2 --mermaid", ["`--tls` and `--mermaid` without `--trace ADDRESS`"]),
        ("verify --trace web --tls 1.1", ["`--tls` is 1.2 or 1.3, not `1.1`"]),
        ("verify --trace web --key-exchange dhe", ["`--key-exchange` is ecdhe or rsa, not `dhe`"]),
        ("verify --trace web --key-exchange rsa", ["RSA key exchange ended with TLS 1.2", "add `--tls 1.2`"]),
        ("verify --trace web --host *.x", ["`--host`: `*.x` is no host that a client can ask for", "`www.x`"]),
        ("show", ["missing argument"]),
        ("show certificate.web --pem --origins", ["`--pem` stands alone"]),
        ("completion tcsh", ["'tcsh' is not one of 'bash', 'zsh', 'fish'"]),
        ("--color purple plan", ["'purple' is not one of 'auto', 'always', 'never'"]),
        ("-C nowhere plan", ["cannot work in `nowhere` (-C): no such file or directory"]),
        ("-q", ["missing command"]),
    ],
)
def test_wrong_usage_is_told_and_exits_with_1(site: Here, line: str, told: list[str]) -> None:
    before = site.files()

    run = site.run(*line.split())

    assert run.status == 1
    assert run.out == ""
    for words in told:
        assert words in run.err
    assert "Traceback" not in run.err
    assert site.files() == before


def test_no_command_at_all_gives_the_help_and_fails(here: Here) -> None:
    run = here.run()

    assert run.status == 1
    assert "Usage: pkiplan" in run.out


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_help_has_an_example_and_the_exit_statuses(here: Here, command: list[str]) -> None:
    run = here.run(*command, "--help")

    assert run.status == 0
    assert run.err == ""
    assert "Exit status:" in run.out
    assert "Example" in run.out or "Start with:" in run.out
    assert all(len(line) <= 100 for line in run.out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "ordered"),
    [
        (["plan", "-v", "--color", "never"], ["-v", "--color", "never", "plan"]),
        (["plan", "-C", "x", "site.yaml"], ["-C", "x", "plan", "site.yaml"]),
        (["plan", "-Cx", "--chdir=y", "--color=always"], ["-Cx", "--chdir=y", "--color=always", "plan"]),
        (["plan", "--", "-q"], ["plan", "--", "-q"]),
        (["plan", "--color"], ["--color", "plan"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(arguments: list[str], ordered: list[str]) -> None:
    assert first(arguments) == ordered


def test_chdir_is_where_everything_happens(site: Here) -> None:
    (site.directory / "elsewhere").mkdir()
    (site.directory / "site.yaml").rename(site.directory / "elsewhere" / "site.yaml")

    assert site.run("plan", "-C", "elsewhere").status == 0
    assert (site.directory / "elsewhere" / ".pkiplan" / "last-plan.json").is_file()
