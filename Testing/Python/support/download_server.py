"""A local file server that answers correctly or fails in many ways."""

import contextlib
import hashlib
import http.server
import threading
import time

BODY = bytes(range(256)) * 4096
HASH = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a request for the path /NAME by the method do_NAME."""

    def do_GET(self):
        # Some tests cancel a download, and their client disconnects.
        with contextlib.suppress(ConnectionError):
            getattr(self, f"do_{self.path.strip('/')}")()

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def do_whole(self):
        self.answer(200, Content_Length=len(self.server.body))
        self.wfile.write(self.server.body)

    def do_unannounced(self):
        self.answer(200)
        self.wfile.write(self.server.body)

    def do_slow(self):
        self.answer(200, Content_Length=len(self.server.body))
        for start in range(0, len(self.server.body), len(self.server.body) // 16):
            self.wfile.write(self.server.body[start : start + len(self.server.body) // 16])
            self.wfile.flush()
            time.sleep(0.1)

    def do_cut(self):
        self.answer(200, Content_Length=len(self.server.body))
        self.wfile.write(self.server.body[: len(self.server.body) // 2])

    def do_stalled(self):
        self.do_cut()
        self.wfile.flush()
        self.server.released.wait(20)

    def do_silent(self):
        self.server.released.wait(20)

    def do_other(self):
        self.answer(200, Content_Length=len(self.server.body))
        self.wfile.write(self.server.body[::-1])

    def do_page(self):
        text = b"<html>Sign in to download</html>"
        self.answer(200, Content_Length=len(text))
        self.wfile.write(text)

    def do_absent(self):
        self.answer(404, Content_Length=0)

    def do_failing(self):
        self.answer(503, Content_Length=0)

    def do_moved(self):
        self.answer(302, Location="/whole", Content_Length=0)

    def do_circle(self):
        self.answer(302, Location="/circle", Content_Length=0)

    def log_message(self, *arguments):
        """Write no log."""


@contextlib.contextmanager
def serving():
    """Yield a running server. It serves the bytes of its attribute `body`, at first BODY, under the URL `address`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.released, server.body = True, threading.Event(), BODY
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
