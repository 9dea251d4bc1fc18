"""What others make of the chains: each judge gives one answer for every chain, and says why it refuses."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import verification

from pkiplan.diagnostics import Severity
from pkiplan.model.extensions import EXTENDED_KEY_USAGES
from pkiplan.x509.chain import Question, check_chain
from tests.judges import require
from tests.x509.chains import NOW, Chain, Made, all_chains

ROOT, LEAF, SENT, KEY = "roots.pem", "leaf.pem", "sent.pem", "key.pem"


@dataclass(frozen=True)
class Answer:
    """Whether a chain is accepted, and the judge's words when it is not."""

    accepted: bool
    why: str = ""


@dataclass(frozen=True)
class Judge:
    """A verifier; `is_strict` ones refuse more, and not all look at the host."""

    name: str
    ask: Callable[[], dict[str, Answer]]
    is_strict: bool = False
    checks_host: bool = True
    program: str | None = None


def _pem(made: Sequence[Made]) -> bytes:
    return b"".join(each.certificate.public_bytes(Encoding.PEM) for each in made)


@cache
def _written() -> tempfile.TemporaryDirectory[str]:
    """Write every chain into a directory of its own, named by its number."""
    directory = tempfile.TemporaryDirectory(prefix="chains-")
    for number, chain in enumerate(all_chains()):
        place = Path(directory.name) / f"{number:03}"
        place.mkdir()
        (place / ROOT).write_bytes(_pem(chain.roots))
        (place / LEAF).write_bytes(_pem([chain.leaf]))
        (place / SENT).write_bytes(_pem([chain.leaf, *chain.intermediates]))
        (place / "middle.pem").write_bytes(_pem(chain.intermediates))
        (place / KEY).write_bytes(chain.leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for index, each in enumerate((chain.leaf, *chain.intermediates)):
            (place / f"c{index}.pem").write_bytes(_pem([each]))
        for index, root in enumerate(chain.roots):
            (place / f"r{index}.pem").write_bytes(_pem([root]))
        (place / "host").write_text(chain.host)
    return directory


def places() -> Iterator[tuple[Chain, Path]]:
    for number, chain in enumerate(all_chains()):
        yield chain, Path(_written().name) / f"{number:03}"


def _each(
    command: Callable[[Chain, Path], list[str]], is_accepted: Callable[[subprocess.CompletedProcess[str]], bool]
) -> dict[str, Answer]:
    """Ask a program about every chain, a few at a time."""

    def ask(entry: tuple[Chain, Path]) -> tuple[str, Answer]:
        chain, place = entry
        done = subprocess.run(command(chain, place), capture_output=True, text=True, timeout=30, cwd=place)
        return chain.title, Answer(is_accepted(done), f"{done.stdout}{done.stderr}".strip()[-300:])

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(ask, places()))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def ours(*, strict: bool) -> dict[str, Answer]:
    answers = {}
    for chain in all_chains():
        question = Question(at=NOW, purpose=EXTENDED_KEY_USAGES["server_auth"], host=chain.host)
        found = check_chain(
            chain.leaf.certificate,
            [m.certificate for m in chain.intermediates],
            [r.certificate for r in chain.roots],
            question,
        )
        counted = [d for d in found if strict or d.severity is Severity.ERROR]
        answers[chain.title] = Answer(not counted, "; ".join(d.summary for d in counted))
    return answers


def cryptography_verifier() -> dict[str, Answer]:
    answers = {}
    for chain in all_chains():
        host: x509.DNSName | x509.IPAddress = x509.DNSName(chain.host)
        if _is_address(chain.host):
            host = x509.IPAddress(ipaddress.ip_address(chain.host))
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store([r.certificate for r in chain.roots]))
            .time(NOW.replace(tzinfo=None))
            .build_server_verifier(host)
        )
        try:
            verifier.verify(chain.leaf.certificate, [m.certificate for m in chain.intermediates])
            answers[chain.title] = Answer(True)
        except verification.VerificationError as error:
            answers[chain.title] = Answer(False, str(error))
    return answers


def openssl(*options: str) -> dict[str, Answer]:
    program = require("openssl")

    def command(chain: Chain, place: Path) -> list[str]:
        host = ("-verify_ip" if _is_address(chain.host) else "-verify_hostname", chain.host)
        # What its TLS clients ask for on Debian.
        return [
            program,
            "verify",
            *options,
            "-auth_level",
            "2",
            "-purpose",
            "sslserver",
            *host,
            "-no-CApath",
            "-no-CAstore",
            "-CAfile",
            ROOT,
            "-untrusted",
            SENT,
            LEAF,
        ]

    return _each(command, lambda done: done.returncode == 0)


def gnutls() -> dict[str, Answer]:
    program = require("certtool")

    def command(chain: Chain, place: Path) -> list[str]:
        return [
            program,
            "--verify",
            "--verify-profile",
            "medium",
            "--verify-purpose",
            EXTENDED_KEY_USAGES["server_auth"],
            "--verify-hostname",
            chain.host,
            "--load-ca-certificate",
            ROOT,
            "--infile",
            SENT,
        ]

    answers = _each(command, lambda done: done.returncode == 0)
    return answers | {chain.title: _gnutls_client(place) for chain, place in places() if chain.leaf in chain.roots}


def _gnutls_client(place: Path) -> Answer:
    """Ask in a handshake: `certtool` trusts authorities only, so it cannot judge a self-signed leaf."""
    command = [
        require("gnutls-cli"),
        "--x509cafile",
        ROOT,
        "--verify-hostname",
        (place / "host").read_text(),
        "127.0.0.1",
        "-p",
    ]
    server = subprocess.Popen(
        [require("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", SENT, "-key", KEY, "-naccept", "1", "-www"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        listening = next(line for line in server.stdout if line.startswith("ACCEPT"))
        port = listening.split()[1].rpartition(":")[2]
        done = subprocess.run([*command, port], cwd=place, input="", capture_output=True, text=True, timeout=20)
    finally:
        server.kill()
        server.communicate()
    return Answer(done.returncode == 0, f"{done.stdout}{done.stderr}".strip()[-300:])


def nss() -> dict[str, Answer]:
    program = require("vfychain")

    def command(chain: Chain, place: Path) -> list[str]:
        trusted = [argument for index in range(len(chain.roots)) for argument in ("-t", "-a", f"r{index}.pem")]
        sent = [argument for index in range(1 + len(chain.intermediates)) for argument in ("-a", f"c{index}.pem")]
        return [program, "-pp", "-u", "1", *sent, *trusted]

    return _each(command, lambda done: done.returncode == 0 and "Chain is good" in f"{done.stdout}{done.stderr}")


_JAVA = r"""
import java.io.*; import java.security.KeyStore; import java.security.cert.*; import javax.net.ssl.*;
public class Judge {
  static X509Certificate[] read(File place, String name) throws Exception {
    try (InputStream in = new FileInputStream(new File(place, name))) {
      return CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(new X509Certificate[0]);
    }
  }
  public static void main(String[] arguments) throws Exception {
    File[] places = new File(arguments[0]).listFiles(File::isDirectory);
    for (File place : places) {
      String answer = "OK";
      try {
        KeyStore store = KeyStore.getInstance("PKCS12"); store.load(null, null); int count = 0;
        for (X509Certificate root : read(place, "roots.pem")) store.setCertificateEntry("r" + count++, root);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX"); factory.init(store);
        X509Certificate[] sent = read(place, "sent.pem");
        String type = sent[0].getPublicKey().getAlgorithm().equals("RSA") ? "ECDHE_RSA" : "ECDHE_ECDSA";
        ((X509TrustManager) factory.getTrustManagers()[0]).checkServerTrusted(sent, type);
      } catch (Exception error) {
        Throwable cause = error; while (cause.getCause() != null) cause = cause.getCause();
        answer = String.valueOf(cause.getMessage()).replace("\n", " ");
      }
      System.out.println(place.getName() + " " + answer);
    }
  }
}
"""


def java() -> dict[str, Answer]:
    program = require("java")
    source = Path(_written().name) / "Judge.java"
    source.write_text(_JAVA)
    done = subprocess.run(
        [program, "-XX:TieredStopAtLevel=1", str(source), _written().name], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answers = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return {chain.title: Answer(answers[place.name] == "OK", answers[place.name]) for chain, place in places()}


_NODE = r"""
const tls = require('tls'), fs = require('fs'), path = require('path');
const base = process.argv[1], answers = {};
async function ask(place) {
  const read = name => fs.readFileSync(path.join(place, name));
  const host = read('host').toString();
  let context;
  try { context = {key: read('key.pem'), cert: read('sent.pem')}; tls.createSecureContext(context); }
  catch (error) { return 'not served: ' + error.message; }
  return await new Promise(resolve => {
    const server = tls.createServer(context, socket => { socket.on('error', () => {}); socket.end(); });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1', () => {
      const socket = tls.connect({port: server.address().port, host: '127.0.0.1', ca: read('roots.pem'),
        servername: /^[0-9.]+$|:/.test(host) ? '' : host,
        checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate)});
      const done = answer => { socket.destroy(); server.close(); resolve(answer); };
      socket.on('secureConnect', () => done('OK'));
      socket.on('error', error => done(String(error.code || error.message)));
    });
  });
}
(async () => {
  const places = fs.readdirSync(base).filter(name => !name.includes('.')).sort();
  for (const name of places) answers[name] = await ask(path.join(base, name));
  console.log(JSON.stringify(answers));
})();
"""


def node() -> dict[str, Answer]:
    program = require("node")
    done = subprocess.run([program, "-e", _NODE, _written().name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return {chain.title: Answer(answers[place.name] == "OK", answers[place.name]) for chain, place in places()}


JUDGES: dict[str, Judge] = {
    judge.name: judge
    for judge in (
        Judge("pkiplan", lambda: ours(strict=False)),
        Judge("pkiplan, strict", lambda: ours(strict=True), is_strict=True),
        Judge("cryptography", cryptography_verifier, is_strict=True),
        Judge("openssl", openssl, program="openssl"),
        Judge("openssl, strict", lambda: openssl("-x509_strict"), is_strict=True, program="openssl"),
        Judge("gnutls", gnutls, program="certtool"),
        Judge("nss", nss, checks_host=False, program="vfychain"),
        Judge("java", java, checks_host=False, program="java"),
        Judge("node", node, program="node"),
    )
}

# Who answers otherwise than most, and why (OpenSSL 3.0, GnuTLS 3.7, NSS 3.87, Java 17, Node 20, cryptography 50).
_COMMON_NAME = "still looks at the common name where there is no DNS name (RFC 6125, 6.4.4; RFC 9525 forbids it)"
_SHORT_KEYS = "takes RSA keys of 1024 bits: the security level it is built with asks for 80 bits"
_NO_KEY_ID = "looks at the subject key identifier of nobody, and at the authority key identifier of leaves alone"
_ROOT_IS_A_KEY = (
    "takes of a root its name and key alone, as RFC 5280, 6.1.1 (d) lets it: not its dates, constraints or path length"
)
_UNKNOWN_EXTENSION = "does not know this extension, which is critical"
DISAGREEMENTS: dict[tuple[str, str], str] = {
    ("cryptography", "an Ed25519 authority"): "knows the algorithms of the web's authorities alone (BR 7.1.3.1)",
    (
        "cryptography",
        "a subject within the constraints",
    ): "refuses constraints of directory names, because it does not check them",
    (
        "cryptography",
        "a subject besides a directory name that is excluded",
    ): "refuses constraints of directory names, because it does not check them",
    ("cryptography", "policies that an authority requires"): _UNKNOWN_EXTENSION,
    ("cryptography", "an authority beneath which any policy is none"): _UNKNOWN_EXTENSION,
    (
        "gnutls",
        "a subject besides a directory name that is excluded",
    ): "refuses every subject beneath such a constraint",
    ("gnutls", "policies that an authority requires"): _UNKNOWN_EXTENSION,
    ("cryptography", "a root without key identifier"): _NO_KEY_ID,
    ("cryptography", "an authority without key identifier"): _NO_KEY_ID,
    ("cryptography", "an authority that does not name its issuer's key"): _NO_KEY_ID,
    (
        "cryptography",
        "a leaf that names another key of its issuer",
    ): "tries every issuer of the right name (RFC 4158, 3.5.12: an aid, no rule)",
    ("cryptography", "a leaf that cannot sign a handshake"): "leaves the key usage of leaves to TLS",
    ("cryptography", "an RSA leaf of 1024 bits"): "looks at the size of the keys that sign certificates alone",
    ("openssl", "a host in the common name alone"): _COMMON_NAME,
    ("openssl, strict", "a host in the common name alone"): _COMMON_NAME,
    ("openssl, strict", "a subject, and names that are critical"): "does not look; RFC 5280, 4.2.1.6 says SHOULD",
    ("openssl, strict", "a leaf that is an authority"): "takes an authority as a server (so did the web, for a while)",
    (
        "openssl, strict",
        "a leaf that cannot sign a handshake",
    ): "allows key agreement, as TLS 1.2 with fixed ECDH keys used it",
    ("gnutls", "a host in the common name alone"): _COMMON_NAME,
    ("gnutls", "a subject outside of the constraints"): "does not check directory names against constraints",
    ("nss", "an Ed25519 authority"): "does not know Ed25519 in this version",
    ("nss", "a self-signed leaf that is trusted"): "takes as trusted what is an authority alone",
    ("nss", "a leaf that is an authority"): "takes no authority as a server",
    ("nss", "an authority for clients"): "does not look at the extended key usage of authorities here",
    ("nss", "an RSA leaf of 1024 bits"): _SHORT_KEYS,
    ("nss", "an RSA authority of 1024 bits"): _SHORT_KEYS,
    ("java", "no subject, and names that are not critical"): "refuses it when it reads the certificate",
    ("java", "a leaf that cannot sign a handshake"): "looks at the key usage of servers",
    ("java", "an expired root"): _ROOT_IS_A_KEY,
    ("java", "a root's constraints"): _ROOT_IS_A_KEY,
    ("java", "one authority too many for the root"): _ROOT_IS_A_KEY,
    ("java", "a self-signed leaf that has expired"): _ROOT_IS_A_KEY,
    ("java", "an authority for clients"): "does not look at the extended key usage of authorities",
    ("java", "an RSA leaf of 1024 bits"): _SHORT_KEYS,
    ("java", "an RSA authority of 1024 bits"): _SHORT_KEYS,
    ("node", "a host in the common name alone"): _COMMON_NAME,
    ("node", "an RSA leaf of 1024 bits"): _SHORT_KEYS,
    ("node", "an RSA authority of 1024 bits"): _SHORT_KEYS,
}
