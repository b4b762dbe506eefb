"""An S3 server on this machine, and a proxy before it whose requests can fail."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# What a client that asks the server needs in its environment. One try for each request,
# so that those that fail reach the library.
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "1",
    "S3_REQUEST_TIMEOUT_MSEC": "30000",
}
BUCKET = "bucket"
_NOT_PASSED_ON = {"connection", "content-length", "date", "server", "transfer-encoding"}


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that are gone."""


class Storage:
    """The server, as clients see it through the proxy.

    Attributes:
        address: The proxy's.
        requests: What was asked, `(method, path)`.
        fails: Told of each request; if it returns true, the answer is 503.
        hangs_up: As `fails`, but the connection is closed without an answer.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str]] = []
        self.fails: Callable[[str, str], bool] = _never
        self.hangs_up: Callable[[str, str], bool] = _never
        self._port = port
        self._proxy = _Proxy(("127.0.0.1", 0), _handler_of(self))
        self.address = f"http://127.0.0.1:{self._proxy.server_port}"
        self.variables = {**VARIABLES, "S3_ENDPOINT": self.address}

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]):
        """What the server itself answers: status, headers, content."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def run(self) -> None:
        self._proxy.serve_forever(0.05)

    def close(self) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()


def _never(method: str, path: str) -> bool:
    return False


def _handler_of(storage: Storage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            storage.requests.append((self.command, self.path))
            if storage.hangs_up(self.command, self.path):
                self.close_connection = True
                return
            if storage.fails(self.command, self.path):
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, headers, content = storage.ask(
                self.command, self.path, body, dict(self.headers)
            )
            given = dict(headers).get("Content-Length", "0")
            length = given if self.command == "HEAD" else str(len(content))
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def s3_server() -> Iterator[Storage]:
    """Starts a server with an empty bucket, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("moto_server")
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1 << 24)},
    )
    try:
        _make_bucket(port, server)
        storage = Storage(port)
        thread = threading.Thread(target=storage.run)
        thread.start()
        try:
            yield storage
        finally:
            storage.close()
            thread.join()
    finally:
        server.kill()
        server.wait()


def _make_bucket(port: int, server: subprocess.Popen[bytes]) -> None:
    url = f"http://127.0.0.1:{port}/{BUCKET}"
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")
