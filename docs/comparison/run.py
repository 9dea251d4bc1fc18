"""The experiment of `docs/comparison.md`: the same edits, carried out with each tool, and what was there afterwards.

    python docs/comparison/run.py [pkiplan | ansible | certomancer | easy-rsa] …

Needs `openssl` and `faketime`; of the tools, those that are to be compared, found in PATH. Writes nothing but a
temporary directory. For every edit it prints what the preview said, what the run said, and what changed on disk.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
# Far enough that a leaf of 90 days has expired and the authority has not.
LATER = 100
NAMES = ("ca", "web", "api")


def run(*command: str | Path, cwd: Path, later: int = 0, env: dict[str, str] | None = None) -> str:
    """Run a command as if so many days had passed; answer its last lines and how it ended."""
    # Seconds in full: some tools choose relative times by their own clock only.
    when = ["faketime", "-f", f"+{later}d"] if later else []
    done = subprocess.run(
        [*when, *map(str, command)],
        cwd=cwd,
        env={**os.environ, "PKIPLAN_CACHE": "off", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "\n".join([*said[-14:], f"(exit status {done.returncode})"])


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


@dataclass
class State:
    """What of one certificate is looked at."""

    certificate: str
    key: str
    key_fits: bool
    names: str
    ends: str
    verifies: bool

    @classmethod
    def of(cls, certificate: Path, key: Path, ca: Path, later: int) -> State:
        at = int((datetime.now(UTC) + timedelta(days=later)).timestamp())
        public = openssl("pkey", "-in", key, "-pubout")
        names = openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName")
        return cls(
            certificate=openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"),
            key=public,
            key_fits=openssl("x509", "-in", certificate, "-noout", "-pubkey") == public,
            names=",".join(re.findall(r"DNS:([\w.]+)", names)),
            ends=openssl("x509", "-in", certificate, "-noout", "-enddate").removeprefix("notAfter="),
            verifies=openssl("verify", "-attime", str(at), "-CAfile", ca, certificate).endswith(": OK"),
        )


@dataclass
class Tool:
    """How one tool is asked for the same things. `edit` changes the declaration; None: there is none to change."""

    name: str
    version: Callable[[], str]
    setup: Callable[[Path], None]
    preview: Callable[[Path, int, str], str] | None
    run: Callable[[Path, int, str], str]
    edit: Callable[[Path, str], None]
    files: Callable[[Path, str], tuple[Path, Path]]


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new))


# pkiplan ---------------------------------------------------------------------------------------------------------


def pkiplan_edit(place: Path, what: str) -> None:
    old, new = {
        "name": ("[www.acme.example]", "[www.acme.example, acme.example]"),
        "days": ("[www.acme.example], days: 90", "[www.acme.example], days: 60"),
        "issuer": ("key: {type: rsa, size: 2048, passphrase", "key: {type: rsa, size: 3072, passphrase"),
    }[what]
    replaced(place / "site.yaml", old, new)


def pkiplan_options(what: str) -> tuple[str, ...]:
    return ("--allow", "authority.ca") if what == "issuer" else ()


PKIPLAN = Tool(
    name="pkiplan",
    version=lambda: run("pkiplan", "--version", cwd=HERE),
    setup=lambda place: (shutil.copy(HERE / "site.yaml", place), None)[1],
    preview=lambda place, later, what: run("pkiplan", "plan", *pkiplan_options(what), cwd=place, later=later),
    run=lambda place, later, what: run(
        "pkiplan",
        "apply",
        "--yes",
        *(() if (place / ".pkiplan/last-plan.json").exists() else pkiplan_options(what)),
        cwd=place,
        later=later,
    ),
    edit=pkiplan_edit,
    files=lambda place, name: (
        (place / "pki/authorities/ca/cert.pem", place / "pki/authorities/ca/key.pem")
        if name == "ca"
        else (place / f"pki/certificates/{name}/cert.pem", place / f"pki/certificates/{name}/key.pem")
    ),
)

# Ansible ---------------------------------------------------------------------------------------------------------


def ansible_edit(place: Path, what: str) -> None:
    old, new = {
        "name": ('["DNS:www.acme.example"]', '["DNS:www.acme.example", "DNS:acme.example"]'),
        "days": ('["DNS:www.acme.example"], days: 90', '["DNS:www.acme.example"], days: 60'),
        "issuer": ("ca_bits: 2048", "ca_bits: 3072"),
    }[what]
    replaced(place / "playbook.yml", old, new)


def ansible(place: Path, later: int, *options: str) -> str:
    return run("ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}",
               *options, "playbook.yml", cwd=place, later=later)  # fmt: skip


ANSIBLE = Tool(
    name="ansible",
    version=lambda: (
        run("ansible-playbook", "--version", cwd=HERE)
        + "\n"
        + run("ansible-galaxy", "collection", "list", "community.crypto", cwd=HERE)
    ),
    setup=lambda place: (shutil.copy(HERE / "playbook.yml", place), None)[1],
    preview=lambda place, later, _: ansible(place, later, "--check", "--diff"),
    run=lambda place, later, _: ansible(place, later),
    edit=ansible_edit,
    files=lambda place, name: (place / f"pki/{name}.pem", place / f"pki/{name}.key"),
)

# certomancer -----------------------------------------------------------------------------------------------------


def certomancer_setup(place: Path) -> None:
    (place / "keys").mkdir()
    for name in NAMES:
        openssl("genrsa", "-out", place / f"keys/{name}.key", "2048")
    now = datetime.now(UTC)
    text = (HERE / "certomancer.yml").read_text()
    for word, value in {
        "FROM": f"{now:%Y-%m-%dT%H:%M:%S+0000}",
        "TEN_YEARS": f"{now + timedelta(days=3650):%Y-%m-%dT%H:%M:%S+0000}",
        "WEB_TO": f"{now + timedelta(days=90):%Y-%m-%dT%H:%M:%S+0000}",
        "API_TO": f"{now + timedelta(days=90):%Y-%m-%dT%H:%M:%S+0000}",
        "WEB_NAMES": "{type: dns_name, value: www.acme.example}",
    }.items():
        text = text.replace(f"@{word}@", value)
    (place / "certomancer.yml").write_text(text)


def certomancer_edit(place: Path, what: str) -> None:
    config = place / "certomancer.yml"
    if what == "name":
        one = "{type: dns_name, value: www.acme.example}"
        replaced(config, one, one + ", {type: dns_name, value: acme.example}")
    elif what == "days":
        web = config.read_text().partition("subject: web")[2]
        before = re.search(r'valid-to: "([^"]+)"', web)
        assert before is not None
        sooner = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%dT%H:%M:%S+0000}"
        head, middle, rest = config.read_text().partition("subject: web")
        config.write_text(head + middle + rest.replace(before[1], sooner, 1))
    else:
        openssl("genrsa", "-out", place / "keys/ca.key", "3072")


CERTOMANCER = Tool(
    name="certomancer",
    version=lambda: run("certomancer", "--version", cwd=HERE),
    setup=certomancer_setup,
    preview=None,
    run=lambda place, later, _: run(
        "certomancer", "mass-summon", "acme", "out", "--flat", "--no-pfx", cwd=place, later=later
    ),  # fmt: skip
    edit=certomancer_edit,
    files=lambda place, name: (place / f"out/{name}.cert.pem", place / f"keys/{name}.key"),
)

# easy-rsa --------------------------------------------------------------------------------------------------------

EASYRSA = shutil.which("easyrsa") or "/usr/share/easy-rsa/easyrsa"


def easyrsa(place: Path, later: int, *arguments: str) -> str:
    return run(EASYRSA, "--batch", *arguments, cwd=place, later=later, env={"EASYRSA_PKI": str(place / "pki")})


def easyrsa_run(place: Path, later: int, what: str) -> str:
    """Do what its help offers for what is wanted: build what is not there, `renew` what shall be otherwise."""
    names = "DNS:www.acme.example" + (",DNS:acme.example" if what == "name" else "")
    web = (f"--days={60 if what == 'days' else 90}", f"--subject-alt-name={names}")
    api = ("--days=90", "--subject-alt-name=DNS:api.acme.example")
    said = []
    if not (place / "pki").exists():
        said.append(easyrsa(place, later, "init-pki"))
        said.append(easyrsa(place, later, "--req-cn=Acme Root", "build-ca", "nopass"))
    elif what == "issuer":
        said.append(easyrsa(place, later, "--keysize=3072", "--req-cn=Acme Root", "build-ca", "nopass"))
    verb = "renew" if what in ("name", "days", "expire") else "build-server-full"
    said.append(easyrsa(place, later, *web, verb, "web", "nopass"))
    if verb != "renew" or what == "expire":
        said.append(easyrsa(place, later, *api, verb, "api", "nopass"))
    return "\n".join(said)


EASY_RSA = Tool(
    name="easy-rsa",
    version=lambda: run(EASYRSA, "version", cwd=HERE) + "\n" + run("dpkg-query", "-W", "easy-rsa", cwd=HERE),
    setup=lambda _: None,
    preview=None,
    run=easyrsa_run,
    edit=lambda _place, _what: None,
    files=lambda place, name: (
        (place / "pki/ca.crt", place / "pki/private/ca.key")
        if name == "ca"
        else (place / f"pki/issued/{name}.crt", place / f"pki/private/{name}.key")
    ),
)

TOOLS = {tool.name: tool for tool in (PKIPLAN, ANSIBLE, CERTOMANCER, EASY_RSA)}
EDITS = {
    "nothing": "nothing is changed, and run again",
    "name": "a name is added to `web`",
    "days": "`web` shall live 60 days instead of 90",
    "expire": f"{LATER} days pass, so that `web` and `api` have expired",
    "swap": "the certificate of `api` is put in place of that of `web`",
    "issuer": "the authority gets a new key",
}


def states(tool: Tool, place: Path, later: int) -> dict[str, State]:
    ca = tool.files(place, "ca")[0]
    return {name: State.of(*tool.files(place, name), ca, later) for name in NAMES}


def difference(before: State, after: State) -> str:
    """Say in a line what became of one certificate."""
    told = ["certificate new" if before.certificate != after.certificate else "certificate kept"]
    told.append("key new" if before.key != after.key else "key kept")
    told.append("they fit" if after.key_fits else "THEY DO NOT FIT")
    told.append("verifies" if after.verifies else "DOES NOT VERIFY")
    return ", ".join([*told, f"names {after.names or '-'}", f"ends {after.ends}"])


def swap(tool: Tool, place: Path) -> None:
    web, api = tool.files(place, "web")[0], tool.files(place, "api")[0]
    web.write_bytes(api.read_bytes())


def try_edit(tool: Tool, what: str) -> None:
    print(f"\n#### {what}: {EDITS[what]}\n")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        tool.setup(place)
        first = tool.run(place, 0, "nothing")
        try:
            before = states(tool, place, 0)
            assert all(state.key_fits and state.verifies for state in before.values())
        except (AssertionError, OSError):
            print("could not be set up:\n" + first)
            return
        later = LATER if what == "expire" else 0
        if what == "swap":
            swap(tool, place)
        elif what not in ("nothing", "expire"):
            tool.edit(place, what)
        if tool.preview is None:
            print("preview: there is none")
        else:
            print("preview:\n" + tool.preview(place, later, what))
            assert states(tool, place, 0)["ca"] == before["ca"], "a preview changed something"
        print("run:\n" + tool.run(place, later, what))
        middle = states(tool, place, later)
        for name in NAMES:
            print(f"{name}: {difference(before[name], middle[name])}")
        again = tool.run(place, later, "nothing" if what == "issuer" else what)
        after = states(tool, place, later)
        changed = [name for name in NAMES if middle[name].certificate != after[name].certificate]
        print(f"run once more: {'nothing new' if not changed else 'new: ' + ', '.join(changed)}")
        if changed:
            print(again.splitlines()[-1])


def main(names: list[str]) -> None:
    for name in names or TOOLS:
        tool = TOOLS[name]
        print(f"\n### {name}\n\n{tool.version()}")
        for what in EDITS:
            try_edit(tool, what)


if __name__ == "__main__":
    main(sys.argv[1:])
