"""Every row of the table: what is measured, with what it is compared, and which ratio is to be reached."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from bench.measuring import Pair, Program, measure, paired
from bench.sites import Shape
from bench.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `measure` gives the ratios by the clock and by processor time, and what they are of."""

    name: str
    compared_with: str
    target: float
    measure: Callable[[Workshop], Measured]
    unit: str = "×"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came out: two ratios, and the numbers behind them. `note` says why there is none."""

    wall: float | None = None
    cpu: float | None = None
    details: dict[str, object] = field(default_factory=dict)
    note: str = ""


def rows() -> Iterator[Row]:
    """List the rows in the order of the table."""
    bare = "python -c pass"
    yield Row(name="start: --version", compared_with=bare, target=4.0, measure=_version)
    yield Row(name="plan, 3 certificates, as apply left it", compared_with=bare, target=10.0, measure=_small_plan)
    loop = "libyaml's events, five files, load, compare, verify"
    for leaves in (1_000, 10_000):
        for shape in Shape:
            cold = 1.5 if shape is Shape.EXPLICIT else 1.3
            name = f"plan, {leaves:,} leaves, {shape.value}"
            yield Row(
                name=f"{name}, cold",
                compared_with=loop,
                target=cold,
                measure=partial(_plan, leaves, shape, is_cold=True),
            )
            yield Row(
                name=f"{name}, warm",
                compared_with=loop,
                target=1.5 if leaves == 1_000 else 0.7,
                measure=partial(_plan, leaves, shape, is_cold=False),
            )
    for leaves in (1_000, 10_000):
        for cores, target in ((1, 1.8), (2, 1.2)):
            yield Row(
                name=f"apply, {leaves:,} leaves, {cores} core{'s' * (cores > 1)}",
                compared_with="generate, sign, encode, write, one sync, rename",
                target=target,
                measure=partial(_apply, leaves, cores),
            )
    yield Row(
        name="apply, 200 RSA-2048 leaves, 2 cores", compared_with="openssl genrsa alone", target=0.6, measure=_rsa
    )
    yield Row(
        name="apply, 1,000 leaves, shell",
        compared_with="openssl genpkey, req, x509 in a shell loop",
        target=0.1,
        measure=_shell,
    )
    yield Row(name="plan and apply, 50 leaves", compared_with="community.crypto", target=0.02, measure=_ansible)
    yield Row(name="verify, 1,000 certificates", compared_with="bare pyOpenSSL handshakes", target=1.0, measure=_verify)
    for what in ("plan", "apply", "memory"):
        yield Row(
            name=f"{what}: a leaf of 20,000",
            compared_with="a leaf of 2,000",
            target=1.15,
            measure=partial(_per_leaf, what),
        )
    yield Row(name="peak memory, plan, 10,000 leaves", compared_with="MB", target=250, measure=_memory, unit=" MB")


def _version(shop: Workshop) -> Measured:
    return _ratio(paired(shop.pkiplan("--version"), shop.bare_python(), pairs=shop.many))


def _small_plan(shop: Workshop) -> Measured:
    site = shop.applied(3, Shape.EXPLICIT)
    return _ratio(paired(shop.pkiplan("plan", site=site), shop.bare_python(), pairs=shop.many))


def _plan(leaves: int, shape: Shape, shop: Workshop, *, is_cold: bool) -> Measured:
    site = shop.applied(shop.size(leaves), shape)
    plan = shop.pkiplan("plan", site=site, prepare=shop.forget if is_cold else None)
    # Warm is what an earlier plan left behind.
    measure(plan)
    return _ratio(paired(plan, shop.peer("plan_loop.py", site), pairs=shop.few(leaves)))


def _apply(leaves: int, cores: int, shop: Workshop) -> Measured:
    leaves = shop.size(leaves)
    return _ratio(
        paired(
            _fresh_apply(shop, leaves, jobs=cores),
            shop.peer("apply_loop.py", shop.empty, str(leaves), "ecdsa-p256", prepare=shop.clear),
            pairs=shop.few(leaves),
            cores=cores,
        )
    )


def _rsa(shop: Workshop) -> Measured:
    leaves = shop.size(200)
    ours = _fresh_apply(shop, leaves, jobs=2, key="{type: rsa, size: 2048}")
    return _ratio(paired(ours, shop.peer("genrsa.sh", shop.empty, str(leaves), prepare=shop.clear), pairs=shop.twice))


def _shell(shop: Workshop) -> Measured:
    leaves = shop.size(1_000)
    theirs = shop.peer("openssl_shell.sh", shop.empty, str(leaves), prepare=shop.clear)
    return _ratio(paired(_fresh_apply(shop, leaves, jobs=2), theirs, pairs=1))


def _ansible(shop: Workshop) -> Measured:
    if shutil.which("ansible-playbook") is None:
        return Measured(note="ansible-playbook is not installed")
    leaves = shop.size(50)
    theirs = shop.peer("ansible_playbook.sh", shop.empty, str(leaves), prepare=shop.clear)
    return _ratio(paired(_fresh_apply(shop, leaves, jobs=2), theirs, pairs=1))


def _verify(shop: Workshop) -> Measured:
    site = shop.applied(shop.size(1_000), Shape.EXPLICIT)
    return _ratio(paired(shop.pkiplan("verify", site=site), shop.peer("verify_loop.py", site), pairs=shop.twice))


def _per_leaf(what: str, shop: Workshop) -> Measured:
    """Compare a site with one of ten times as many leaves, both above a site with hardly any."""
    few, many = shop.size(2_000), shop.size(20_000)
    if what == "apply":
        costs = [measure(_fresh_apply(shop, leaves, jobs=2, shape=Shape.FOR_EACH)) for leaves in (1, few, many)]
    else:
        sites = [shop.applied(leaves, Shape.FOR_EACH) for leaves in (1, few, many)]
        costs = [measure(shop.pkiplan("plan", site=site, prepare=shop.forget)) for site in sites]
    details: dict[str, object] = {"leaves": [1, few, many], "costs": costs}
    if what == "memory":
        empty, light, heavy = (cost.peak for cost in costs)
        return Measured(cpu=_slope(heavy - empty, many, light - empty, few), details=details)
    none, small, large = costs
    return Measured(
        wall=_slope(large.wall - none.wall, many, small.wall - none.wall, few),
        cpu=_slope(large.cpu - none.cpu, many, small.cpu - none.cpu, few),
        details=details,
    )


def _slope(large: float, many: int, small: float, few: int) -> float:
    return large / many / (small / few)


def _memory(shop: Workshop) -> Measured:
    site = shop.applied(shop.size(10_000), Shape.EXPLICIT)
    peaks = {
        "cold": measure(shop.pkiplan("plan", site=site, prepare=shop.forget)).peak,
        "warm": measure(shop.pkiplan("plan", site=site)).peak,
    }
    return Measured(cpu=max(peaks.values()), details={"peaks": peaks})


def _fresh_apply(
    shop: Workshop, leaves: int, *, jobs: int, key: str = "ecdsa-p256", shape: Shape = Shape.EXPLICIT
) -> Program:
    site = shop.fresh(leaves, shape, key)
    return shop.pkiplan(
        "apply", "--yes", "--no-verify", "--jobs", str(jobs), site=site, prepare=partial(shop.take_away, site)
    )


def _ratio(pair: Pair) -> Measured:
    details: dict[str, object] = {
        "ours": pair.ours,
        "theirs": pair.theirs,
        "median seconds": [statistics.median(cost.wall for cost in costs) for costs in (pair.ours, pair.theirs)],
    }
    return Measured(wall=pair.wall_ratio, cpu=pair.cpu_ratio, details=details)
