"""Files on this machine, by HTTP."""

from __future__ import annotations

import hashlib
import http.server
import threading


class FileServer:
    """Serves what it is given at `http://127.0.0.1:PORT/name`, and counts who asks."""

    def __init__(self) -> None:
        files = self.files = {}
        self.requests = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests += 1
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def put(self, content: bytes) -> str:
        """Serves `content`; its URL."""
        name = "/" + hashlib.sha256(content).hexdigest()[:24]
        self.files[name] = content
        return f"http://127.0.0.1:{self._server.server_port}{name}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
