"""localserver: an HTTP server of a test's own, on a port that is free."""
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Says nothing on the terminal."""

    def answer(self, status, body=b''):
        self.send_response(status)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class LocalServer:
    """Of a class of handlers; from its construction until stop()."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
