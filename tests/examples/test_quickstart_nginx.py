"""The quickstart's certificates in a real nginx with client authentication, asked by curl."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.conftest import Example
from tests.judges import require
from tests.verify.live import free_port, running


@pytest.fixture
def nginx(quickstart: Example, tmp_path: Path) -> Iterator[int]:
    """nginx serving `certificates/web`, which demands a client certificate of the same root."""
    program = require("nginx")
    port = free_port()
    web = quickstart.tree / "certificates" / "web"
    config = tmp_path / "nginx.conf"
    config.write_text(f"""
        daemon off;
        master_process off;
        pid {tmp_path}/nginx.pid;
        error_log {tmp_path}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {tmp_path}/body;
            proxy_temp_path {tmp_path}/proxy;
            fastcgi_temp_path {tmp_path}/fastcgi;
            uwsgi_temp_path {tmp_path}/uwsgi;
            scgi_temp_path {tmp_path}/scgi;
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate {web}/fullchain.pem;
                ssl_certificate_key {web}/key.pem;
                ssl_client_certificate {quickstart.tree}/authorities/root/cert.pem;
                ssl_verify_client on;
                ssl_verify_depth 2;
                location / {{ return 200 "hello $ssl_client_s_dn"; }}
            }}
        }}
    """)
    with running([program, "-e", f"{tmp_path}/error.log", "-c", str(config)], port, tmp_path):
        yield port


def _curl(quickstart: Example, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    host = "www.acme.example"
    root = quickstart.tree / "authorities" / "root" / "cert.pem"
    address = f"https://{host}:{port}/"
    resolve = f"{host}:{port}:127.0.0.1"
    return subprocess.run(
        [
            require("curl"),
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--cacert",
            root,
            "--resolve",
            resolve,
            *options,
            address,
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.judge("nginx")
@pytest.mark.judge("curl")
def test_curl_with_the_clients_certificate_is_served(quickstart: Example, nginx: int) -> None:
    ops = quickstart.tree / "certificates" / "ops"

    answer = _curl(quickstart, nginx, "--cert", str(ops / "fullchain.pem"), "--key", str(ops / "key.pem"))

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("hello CN=ops")


@pytest.mark.judge("nginx")
@pytest.mark.judge("curl")
def test_curl_without_a_client_certificate_is_refused(quickstart: Example, nginx: int) -> None:
    answer = _curl(quickstart, nginx, "--fail")

    assert answer.returncode != 0
    assert "hello" not in answer.stdout
    assert "400" in answer.stderr
