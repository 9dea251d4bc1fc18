from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.judges import require
from tests.verify.live import (
    Files,
    as_unprivileged,
    asked,
    free_port,
    live,
    live_reasons,
    local_site,
    rule,
    running,
    written,
)
from tests.verify.toy_site import Toy, pem

AS_IT_MUST: dict[str, set[str]] = {"connect": {""}, "connect-certificate": {""}}

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path t1; proxy_temp_path t2;
  fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {files.chain}; ssl_certificate_key {files.key};
    ssl_protocols {protocols}; {extra}
    location / {{ return 204; }}
  }}
}}
"""


@contextmanager
def nginx(files: Files, *, extra: str = "", protocols: str = "TLSv1.2 TLSv1.3") -> Iterator[int]:
    program = require("nginx")
    port = free_port()
    configuration = files.directory / "nginx.conf"
    configuration.write_text(NGINX.format(port=port, files=files, extra=extra, protocols=protocols))
    argv = [program, "-p", str(files.directory), "-c", str(configuration), "-e", "stderr"]
    with running(argv, port, files.directory):
        yield port


@pytest.fixture
def site() -> Toy:
    return local_site()


@pytest.mark.judge("nginx")
def test_nginx_serves_what_the_site_declares(site: Toy, tmp_path: Path) -> None:
    with nginx(written(site, tmp_path)) as port:
        report = asked(site, rule(port))

    assert [str(result) for result in report.unexpected] == []
    assert live_reasons(report) == AS_IT_MUST
    assert {result.version for result in live(report) if result.check == "connect"} == {"1.2", "1.3"}


@pytest.mark.judge("nginx")
def test_nginx_that_was_not_reloaded_serves_another_certificate(site: Toy, tmp_path: Path) -> None:
    """The other certificate is valid for the same names, and still it is not the declared one."""
    with nginx(written(site, tmp_path, "certificate.other")) as port:
        report = asked(site, rule(port))

    assert live_reasons(report) == {"connect": {""}, "connect-certificate": {"other-certificate-served"}}
    assert not report.is_as_expected


@pytest.mark.judge("nginx")
def test_nginx_with_another_chain_is_found(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    files.chain.write_bytes(pem(*site.chain("certificate.web")))
    with nginx(files) as port:
        report = asked(site, rule(port))

    assert live_reasons(report) == {"connect": {""}, "connect-certificate": {"other-chain-served"}}


@pytest.mark.judge("nginx")
def test_nginx_without_the_intermediate_is_found(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    files.chain.write_bytes(pem(*site.chain("certificate.web")[:1]))
    with nginx(files) as port:
        report = asked(site, rule(port))

    assert live_reasons(report) == {"connect": {"unknown-authority"}, "connect-certificate": {"other-chain-served"}}


@pytest.mark.judge("nginx")
def test_nginx_demands_a_client_certificate(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    extra = f"ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate {files.root};"
    with nginx(files, extra=extra) as port:
        report = asked(site, rule(port, client="certificate.ops"), rule(port, expect_accepted=False))

    assert [str(result) for result in report.unexpected] == []
    found = {(r.client, r.version, r.outcome.value, r.reason.code) for r in live(report) if r.check == "connect"}
    assert found == {
        ("certificate.ops", "1.2", "accepted", ""),
        ("certificate.ops", "1.3", "accepted", ""),
        (None, "1.2", "refused", "http-status"),
        (None, "1.3", "refused", "http-status"),
    }


@pytest.mark.judge("nginx")
def test_a_rule_asks_by_the_name_it_gives(site: Toy, tmp_path: Path) -> None:
    with nginx(written(site, tmp_path)) as port:
        report = asked(site, rule(port, host_name="elsewhere.example"))

    assert live_reasons(report)["connect"] == {"wrong-name"}


@pytest.mark.judge("nginx")
def test_a_rule_asks_only_the_versions_it_gives(site: Toy, tmp_path: Path) -> None:
    with nginx(written(site, tmp_path), protocols="TLSv1.2") as port:
        kept = asked(site, rule(port, versions=("1.2",)))
        both = asked(site, rule(port))

    assert live_reasons(kept) == AS_IT_MUST
    assert {(r.check, r.version, r.reason.code) for r in both.unexpected} == {("connect", "1.3", "handshake-failed")}


def test_nobody_at_home_is_never_as_expected(site: Toy) -> None:
    report = asked(site, rule(free_port(), expect_accepted=False))

    assert live_reasons(report) == {"connect": {"unreachable"}, "connect-certificate": {"unreachable"}}
    assert len(report.unexpected) == 3


@pytest.mark.slow
@pytest.mark.judge("openssl")
@pytest.mark.parametrize("demand", [False, True])
def test_openssl_s_server(site: Toy, tmp_path: Path, *, demand: bool) -> None:
    files = written(site, tmp_path)
    port = free_port()
    argv = [require("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-key", str(files.key)]
    argv += ["-cert", str(files.chain), "-cert_chain", str(files.chain), "-CAfile", str(files.root)]
    argv += ["-Verify", "3", "-verify_return_error"] if demand else []
    rules = [rule(port, client="certificate.ops")] if demand else [rule(port)]
    with running(argv, port, tmp_path):
        report = asked(site, *rules, *([rule(port, expect_accepted=False)] if demand else []))

    assert {r.reason.code for r in live(report) if r.check == "connect" and r.client} <= {""}
    assert not [r for r in report.unexpected if r.check == "connect"]
    if demand:
        refused = {(r.version, r.reason.code) for r in live(report) if r.check == "connect" and not r.client}
        assert {version for version, _ in refused} == {"1.2", "1.3"}
        assert ("1.3", "no-client-certificate") in refused


@pytest.mark.slow
@pytest.mark.judge("redis-server")
def test_redis(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    port = free_port()
    argv = [require("redis-server"), "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""]
    argv += ["--tls-cert-file", str(files.chain), "--tls-key-file", str(files.key)]
    argv += ["--tls-ca-cert-file", str(files.root), "--tls-auth-clients", "yes"]
    with running(argv, port, tmp_path):
        report = asked(site, rule(port, client="certificate.ops"), rule(port, expect_accepted=False))

    assert [str(result) for result in report.unexpected] == []


@pytest.mark.slow
@pytest.mark.judge("haproxy")
def test_haproxy(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    port = free_port()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        "global\n  nbthread 1\ndefaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n"
        f"frontend f\n  bind 127.0.0.1:{port} ssl crt {files.both} ca-file {files.root} verify required\n"
        "  http-request return status 200\n"
    )
    with running([require("haproxy"), "-db", "-f", str(configuration)], port, tmp_path):
        report = asked(site, rule(port, client="certificate.ops"), rule(port, expect_accepted=False))

    assert [str(result) for result in report.unexpected] == []


@pytest.mark.slow
@pytest.mark.judge("mosquitto")
def test_mosquitto(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    port = free_port()
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\ncertfile {files.chain}\nkeyfile {files.key}\ncafile {files.root}\n"
        "require_certificate true\nallow_anonymous true\n"
    )
    options = as_unprivileged(tmp_path)
    with running([require("mosquitto"), "-c", str(configuration)], port, tmp_path, **options):
        report = asked(site, rule(port, client="certificate.ops"), rule(port, expect_accepted=False))

    assert [str(result) for result in report.unexpected] == []


@pytest.mark.slow
@pytest.mark.judge("stunnel4")
def test_stunnel(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    port = free_port()
    configuration = tmp_path / "stunnel.conf"
    configuration.write_text(
        f"foreground = yes\npid =\n[s]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{free_port()}\n"
        f"cert = {files.chain}\nkey = {files.key}\nCAfile = {files.root}\nverifyChain = yes\nrequireCert = yes\n"
    )
    with running([require("stunnel4"), str(configuration)], port, tmp_path):
        report = asked(site, rule(port, client="certificate.ops"), rule(port, expect_accepted=False))

    assert [str(result) for result in report.unexpected] == []


def postgres_program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else require(name)


@pytest.mark.slow
@pytest.mark.judge("postgres")
def test_postgres_by_starttls(site: Toy, tmp_path: Path) -> None:
    files = written(site, tmp_path)
    port = free_port()
    options = as_unprivileged(tmp_path)
    data = tmp_path / "data"
    command = [postgres_program("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, **options)  # type: ignore[call-overload]
    assert made.returncode == 0, made.stderr
    with (data / "postgresql.conf").open("a") as file:
        file.write(
            f"\nlisten_addresses='127.0.0.1'\nport={port}\nunix_socket_directories=''\nssl=on\nfsync=off\n"
            f"ssl_cert_file='{files.chain}'\nssl_key_file='{files.key}'\nssl_ca_file='{files.root}'\n"
        )
    with running([postgres_program("postgres"), "-D", str(data)], port, tmp_path, **options):
        report = asked(site, rule(port, starttls="postgres"))

    assert [str(result) for result in report.unexpected] == []
    assert live_reasons(report) == AS_IT_MUST
