"""Faults that break a promise of SECURITY.md each, and the test that must find it.

`make planted-faults` plants them one at a time in a copy of the sources, and sees the named test fail there, which
passes without the fault. What a test has never been seen to find, it does not guard.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# How pytest ends: https://docs.pytest.org/en/stable/reference/exit-codes.html
_PASSED, _FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A change of one place in the sources, and the test that fails by it."""

    promise: str
    test: str
    file: str
    sound: str
    broken: str


FAULTS = (
    Fault(
        "P1",
        "tests/security/test_planning_is_safe.py::test_plan_changes_nothing_runs_nothing_and_talks_to_nobody",
        "pkiplan/workflow/planning.py",
        "    observed = observe_site(site, cache=cache, with_foresight=foresight)\n",
        "    observed = observe_site(site, cache=cache, with_foresight=foresight)\n    os.utime(site.directory)\n",
    ),
    Fault(
        "P2",
        "tests/security/test_repeatable.py::test_an_apply_after_an_apply_changes_nothing[as before]",
        "pkiplan/cli/apply.py",
        "    if not planned.plan.pending and not planned.plan.interrupted:\n",
        "    if not planned.plan:\n",
    ),
    Fault(
        "P3",
        "tests/apply/crash/test_crash.py::test_killed_at_any_call_nothing_is_lost_and_the_next_apply_finishes",
        "pkiplan/apply/filesystem.py",
        "    os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)\n",
        "    os.unlink(name, dir_fd=parent)\n    os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)\n",
    ),
    Fault(
        "P3",
        "tests/apply/test_concurrent_applies.py"
        "::test_readers_see_whole_pairs_while_applies_give_new_keys_and_no_serial_is_used_twice",
        "pkiplan/apply/staging.py",
        '        return not self.resource.is_authority and not name.startswith("/")\n',
        '        return name != "key.pem" and not self.resource.is_authority and not name.startswith("/")\n',
    ),
    Fault(
        "P3",
        "tests/apply/crash/test_order.py::test_a_generation_is_on_the_disk_before_it_is_switched_to",
        "pkiplan/apply/filesystem.py",
        "    with _opened(parent, name, _READ) as descriptor:\n        os.fsync(descriptor)\n",
        "    with _opened(parent, name, _READ):\n        return\n",
    ),
    Fault(
        "P4",
        "tests/apply/test_recovery.py::test_what_was_prepared_and_not_switched_is_discarded",
        "pkiplan/apply/journal.py",
        "            found = generations.discard(opened, run)\n",
        "            found = False\n",
    ),
    Fault(
        "P5",
        "tests/security/test_keys_are_kept.py::test_a_key_file_is_born_private_and_exclusively_whatever_the_umask",
        "pkiplan/key_backends/files.py",
        "        descriptor = os.open(name, _NEW_FILE, birth_mode, dir_fd=destination.dir_fd)\n",
        "        descriptor = os.open(name, _NEW_FILE, 0o666, dir_fd=destination.dir_fd)\n",
    ),
    Fault(
        "P5",
        "tests/security/test_keys_are_kept.py::test_a_key_changes_only_where_the_plan_said_so",
        "pkiplan/apply/executor.py",
        "            self._each([c for c in resources if c.key is not KeyStep.KEEP], self._make_key)\n",
        "            from dataclasses import replace as but\n\n"
        "            self._each([but(c, key=KeyStep.GENERATE) for c in resources if c.signs], self._make_key)\n",
    ),
    Fault(
        "P6",
        "tests/security/test_keys_are_kept.py::test_an_authoritys_key_that_cannot_be_read_is_never_made_anew",
        "pkiplan/plan/key.py",
        "            return KeyVerdict(blocker=_unusable(resource, key, site))\n",
        "            return KeyVerdict(\n"
        "                differences=differs(Action.REKEY, Reason.DAMAGED, 'lost'), step=KeyStep.GENERATE\n"
        "            )\n",
    ),
    Fault(
        "P7",
        "tests/x509/test_issue.py::test_an_unsound_request_is_never_signed",
        "pkiplan/x509/issue.py",
        "    found = (*lint_resource(request.resource, chain), *_request_problems(request))\n",
        "    found = ()\n",
    ),
    Fault(
        "P7",
        "tests/x509/test_issue.py::test_what_was_linted_is_what_is_signed",
        "pkiplan/x509/issue.py",
        "    elif rehearsed.tbs_certificate_bytes != certificate.tbs_certificate_bytes:\n",
        "    elif not rehearsed.tbs_certificate_bytes:\n",
    ),
    Fault(
        "P7",
        "tests/x509/test_pattern.py::test_whatever_else_was_signed_is_never_handed_out",
        "pkiplan/x509/issue.py",
        "signed_part is not None and is_signed_with(certificate, signer, signed_part):",
        "signed_part is not None:",
    ),
    Fault(
        "P8",
        "tests/security/test_content.py::test_every_text_that_is_accepted_stands_in_the_certificate",
        "pkiplan/manifest/subject.py",
        "    if attribute is None:\n        return value\n    length = len(value)\n",
        "    value = value.replace('$', 'S')\n    if attribute is None:\n        return value\n"
        "    length = len(value)\n",
    ),
    Fault(
        "P9",
        "tests/manifest/test_templates.py::test_what_is_refused",
        "pkiplan/manifest/expressions.py",
        "class _Environment(ImmutableSandboxedEnvironment):\n",
        "from jinja2 import Environment\n\n\nclass _Environment(Environment):\n",
    ),
    Fault(
        "P9",
        "tests/render/test_quoting.py::test_special_characters_get_a_backslash",
        "pkiplan/render/quoting.py",
        'return CnfText(_SPECIAL.sub(r"\\\\\\g<0>", _writable(value)))\n',
        "return CnfText(_writable(value))\n",
    ),
    Fault(
        "P10",
        "tests/security/test_forced_exceptions.py::test_an_exception_anywhere_shows_no_secret",
        "pkiplan/cli/boundary.py",
        "    if session.is_debugging:\n        sys.stderr.write(_traceback(error))\n",
        "    if session.is_debugging:\n        import traceback\n\n        traceback.print_exception(error)\n",
    ),
    Fault(
        "P10",
        "tests/security/test_forced_exceptions.py::test_an_exception_anywhere_shows_no_secret",
        "pkiplan/errors.py",
        'return f"{type(error).__name__} in',
        'return f"{error} in',
    ),
    Fault(
        "P10",
        "tests/security/test_secrets_stay_secret.py::test_no_program_gets_a_secret_by_argument_or_environment",
        "pkiplan/verify/openssl_program.py",
        '"OPENSSL_CONF": os.devnull}',
        '"OPENSSL_CONF": os.devnull} | dict(os.environ)',
    ),
    Fault(
        "P11",
        "tests/apply/test_concurrent_applies.py::test_a_locked_site_is_told_with_its_holder",
        "pkiplan/apply/lock.py",
        "                if not _is_acquired(lock, timeout, stop, begin_to_wait):\n",
        "                if False:\n",
    ),
    Fault(
        "P12",
        "tests/security/test_repeatable.py::test_a_plan_holds_for_nothing_but_what_it_was_made_from",
        "pkiplan/workflow/applying.py",
        "    found = differences(saved, parse_plan_document(planned.document))\n",
        "    found: tuple[Diagnostic, ...] = ()\n",
    ),
    Fault(
        "P13",
        "tests/apply/test_executor.py::test_a_fault_of_ours_is_a_failure_that_shows_no_secret",
        "pkiplan/apply/outcomes.py",
        "        except Exception as error:  # noqa: BLE001 - a fault of ours in one branch must not stop the others\n",
        "        except ZeroDivisionError as error:\n",
    ),
    Fault(
        "P14",
        "tests/security/test_repeatable.py::test_serial_numbers_are_random_positive_and_never_used_twice",
        "pkiplan/apply/ca_database.py",
        "        serial = secrets.randbits(159)\n",
        "        serial = max(used, default=1 << 70) + 1\n",
    ),
    Fault(
        "P15",
        "tests/security/test_repeatable.py"
        "::test_a_chain_is_in_order_without_the_root_and_nothing_in_it_ends_before_its_leaf",
        "pkiplan/apply/certificate.py",
        "above if name == CHAIN_FILE else (certificate, *above))\n",
        "above if name == CHAIN_FILE else (*above, certificate))\n",
    ),
    Fault(
        "P16",
        "tests/examples/test_judges.py::test_openssl_accepts_every_chain_strictly",
        "pkiplan/apply/certificate.py",
        "    return tuple([work.certificate_of(authority) for authority in work.site.served_chain_of(resource)])\n",
        "    return ()\n",
    ),
    Fault(
        "P17",
        "tests/verify/test_run.py::test_controls_are_refused_for_the_right_reason_by_the_right_side",
        "pkiplan/verify/stacks/pyopenssl.py",
        "    context.set_verify(SSL.VERIFY_PEER)\n",
        "    context.set_verify(SSL.VERIFY_NONE)\n",
    ),
    Fault(
        "P18",
        "tests/security/test_content.py::test_the_same_keys_at_the_same_time_give_the_same_but_for_the_serial_number",
        "pkiplan/x509/issue.py",
        "        _without_zone(request.not_after),\n",
        "        _without_zone(request.not_after - __import__('datetime').timedelta(seconds=request.serial % 60)),\n",
    ),
    Fault(
        "P19",
        "tests/manifest/test_yaml.py::test_hostile_text_fails_fast_and_without_a_traceback",
        "pkiplan/manifest/nodes.py",
        "DEEPEST = 50 ",
        "DEEPEST = 10**9 ",
    ),
    Fault(
        "P20",
        "tests/apply/test_recovery.py::test_a_journal_of_another_format_stops_with_words",
        "pkiplan/model/journal.py",
        'if first is None or first.get("pkiplan_journal") != JOURNAL_FORMAT:\n',
        "if first is None or not JOURNAL_FORMAT:\n",
    ),
    Fault(
        "P20",
        "tests/upgrade/test_upgrade.py::test_an_untouched_tree_of_an_older_version_needs_nothing",
        "pkiplan/model/keys.py",
        "    rounds: int = 600_000\n",
        "    rounds: int = 700_000\n",
    ),
    Fault(
        "P22",
        "tests/security/test_repeatable.py"
        "::test_it_works_for_nobody_with_a_home_that_cannot_be_written_and_without_a_network",
        "pkiplan/cache/store.py",
        "        facts = os.lstat(directory)\n    except OSError:\n        return None\n",
        "        facts = os.lstat(directory)\n    except ZeroDivisionError:\n        return None\n",
    ),
)


def main(wanted: list[str]) -> int:
    """Plant each fault, or those of the promises wanted; return 1 where one was not found, or nothing was to find."""
    wrong = 0
    faults = [fault for fault in FAULTS if not wanted or fault.promise in wanted]
    for test in dict.fromkeys(fault.test for fault in faults):
        # A test that fails without a fault finds none.
        if _status_of(test, None) != _PASSED:
            wrong += 1
            print(f"FAILS WITHOUT ANY FAULT  {test.partition('::')[2]}", flush=True)
    for fault in faults:
        is_found = _status_of(fault.test, fault) == _FAILED
        wrong += not is_found
        print(
            f"{fault.promise}  {'found by' if is_found else 'MISSED by'}  {fault.test.partition('::')[2]}", flush=True
        )
    return min(wrong, 1)


def planted(fault: Fault) -> str:
    """Return the source with the fault in it."""
    source = (ROOT / fault.file).read_text()
    if source.count(fault.sound) != 1:
        raise ValueError(f"{fault.promise}: {fault.file} holds what is to be broken {source.count(fault.sound)} times")
    return source.replace(fault.sound, fault.broken)


def _status_of(test: str, fault: Fault | None) -> int:
    """Run a test in a copy of the sources with a fault, or as they are; anything but these two: it did not run."""
    with tempfile.TemporaryDirectory(prefix="pkiplan-planted-") as directory:
        copy = Path(directory)
        copy.chmod(0o755)  # one of the tests runs as nobody
        for name in ("pkiplan", "tests", "schemas", "examples", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "Makefile", "README.md", "SECURITY.md"):
            shutil.copy(ROOT / name, copy / name)
        if fault is not None:
            (copy / fault.file).write_text(planted(fault))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", test],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
        )
        # pytest tells with 1 of errors in what a test needs, too; only a failure finds a fault.
        return done.returncode if done.returncode != _FAILED or b" failed" in done.stdout else -1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
