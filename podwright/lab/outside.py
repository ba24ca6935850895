"""What a zone's provider leads to: a web server that tells whoever asks which address it sees.

Run as a program, in the network namespace that is outside of the cloud.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror(BaseHTTPRequestHandler):
    """Answers every request with the client's address and a newline."""

    def do_GET(self) -> None:
        """Answer."""
        body = f"{self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 80), Mirror).serve_forever()
