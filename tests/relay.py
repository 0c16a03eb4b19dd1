"""A way to the server on which things go wrong."""

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Relay(ThreadingHTTPServer):
    """Passes requests on to a port of this machine; the first posts meet with faults.

    Too many requests, a server that is down, an answer that gets lost after the
    server has landed the batch, a connection that breaks; then all is well.

    :ivar list faults: those still to come
    :ivar set encodings: what the bodies were compressed with
    """

    daemon_threads = True
    FAULTS = ("429", "503", "lost", "broken")

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), RelayHandler)
        self.target = port
        self.faults = list(self.FAULTS)
        self.encodings = set()
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class RelayHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(self._pass_on(None))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.encodings.add(self.headers["Content-Encoding"])
            fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "broken":
            self.close_connection = True
        elif fault in ("429", "503"):
            self.send_response(int(fault))
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            answer = self._pass_on(body)
            if fault == "lost":
                self.close_connection = True
            else:
                self._answer(answer)

    def _pass_on(self, body):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.target, timeout=60
        )
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return found

    def _answer(self, answer):
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Nothing to the terminal."""
