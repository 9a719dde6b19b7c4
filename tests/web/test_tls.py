"""A real server on a socket: TLS, plain HTTP on a network, connections that say nothing, lines that are too long."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time

import httpx
import pytest
from asking import Server, wait_for


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of our own for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")],
        capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip("openssl makes no certificate here")
    return folder / "certificate.pem", folder / "key.pem"


def test_tls_is_recent_and_plain_http_is_not_answered(certificate, servers, tmp_path):
    chain, key = certificate
    server = Server(
        f"sqlite:///{tmp_path / 'j.sqlite'}", "--workers", "0", "--certificate", str(chain), "--key", str(key),
        scheme="https",
    )  # fmt: skip
    servers.append(server)
    trusted = ssl.create_default_context(cafile=str(chain))
    with httpx.Client(verify=trusted, timeout=60) as client:
        answer = client.get(f"{server.url}/api/health")
        assert answer.status_code == 200 and "max-age=" in answer.headers["strict-transport-security"]
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    with trusted.wrap_socket(raw, server_hostname="localhost") as wrapped:
        assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(raw)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{server.port}/api/health", timeout=60)


def test_a_certificate_that_is_none_is_said(tmp_path):
    from her2.errors import Her2Error
    from her2.web.serve import run_server
    from her2.web.settings import Settings

    wrong = tmp_path / "x.pem"
    wrong.write_text("no certificate", encoding="utf-8")
    database = f"sqlite:///{tmp_path / 'j.sqlite'}"
    with pytest.raises(Her2Error, match="--certificate"):
        run_server(Settings(port=0, database=database, certificate=wrong, key=wrong), announce=print)
    with pytest.raises(Her2Error, match="both or neither"):
        Settings(certificate=wrong).check()
    with pytest.raises(Her2Error, match="no such file"):
        Settings(certificate=tmp_path / "none.pem", key=wrong).check()


def test_plain_http_on_a_network_is_said(tmp_path, servers):
    token = "a-long-enough-token"
    server = Server(
        f"sqlite:///{tmp_path / 'j.sqlite'}",
        "--workers",
        "0",
        "--host",
        "0.0.0.0",
        "--token",
        token,
        host="0.0.0.0",
    )
    servers.append(server)
    assert httpx.get(f"http://127.0.0.1:{server.port}/api/health", timeout=60).status_code == 401
    said = "".join(server.process.stdout.readline() for _ in range(2))
    said += server.stop()
    assert "plain HTTP" in said and "--certificate" in said and token not in said
    assert "Traceback" not in said


def test_who_says_nothing_is_not_waited_for(tmp_path, servers):
    server = Server(
        f"sqlite:///{tmp_path / 'j.sqlite'}", "--workers", "0", "--limit", "header_seconds=1", "--limit",
        "header_bytes=4096",
    )  # fmt: skip
    servers.append(server)

    def is_closed(first: bytes) -> bool:
        """Whether the server ends a connection by itself; the wait is far above its second, far below for ever."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
            raw.sendall(first)
            return not raw.recv(10)

    assert is_closed(b""), "nothing at all"
    assert is_closed(b"GET / HTTP/1.1\r\nHost: 127."), "the half of a request"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
        raw.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000)
        assert b" 400 " in raw.recv(100), "lines that do not end"
    # who asks in time keeps the connection for the next request
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(2):
            assert client.get("/api/health").status_code == 200
            time.sleep(1.5)


def test_event_streams_of_a_server_are_limited(tmp_path, servers):
    server = Server(f"sqlite:///{tmp_path / 'j.sqlite'}", "--workers", "0", "--limit", "streams=1")
    servers.append(server)
    body = {"kind": "trial", "trial": "cleopatra", "patients": 64}
    job = httpx.post(f"{server.url}/api/jobs", json=body, timeout=120).json()["id"]
    address = f"{server.url}/api/jobs/{job}/events"
    with httpx.stream("GET", address, timeout=60) as first:
        # kept, as a stream is closed with the last who reads it
        lines = first.iter_lines()
        assert next(lines).startswith("retry")
        with httpx.stream("GET", address, timeout=60) as refused:
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        assert next(lines) == ""
    wait_for(lambda: _streams(address), "the place is free again", 60)


def _streams(address: str) -> bool:
    with httpx.stream("GET", address, timeout=60) as stream:
        return stream.status_code == 200
