"""browser: Debian's Chromium looks at a page of the system as a person would, headless. A small server of ours stands between, since
a browser that opens an address sends no token; it passes the answer on as it came, headers included."""
import http.server
import os
import re
import shutil
import subprocess
import threading

PASSED_ON = ('content-type', 'content-security-policy', 'content-language', 'cache-control', 'referrer-policy', 'x-content-type-options')
SECONDS = 120


def chromium():
    """Its path; None: there is none on this machine."""
    return shutil.which('chromium')


class Shown:
    """`answer` (harness.answer.Answer) as a page of its own: `with Shown(answer) as shown: shown.url`."""

    def __init__(self, answer, **headers):
        sent = {name: answer.header(name) for name in PASSED_ON if answer.header(name)}
        sent.update({name.replace('_', '-'): value for name, value in headers.items()})

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.path == '/page'
                self.server.asked.append(self.path)
                self.send_response(200 if wanted else 404)
                for name, value in sent.items() if wanted else ():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body if wanted else b'')

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.asked = []

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f'http://127.0.0.1:{self.server.server_address[1]}/page'
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def asked(self):
        """Paths that the browser wanted, without the icon that it asks of every site."""
        return [path for path in self.server.asked if path != '/favicon.ico']


def run(shown, directory, *options):
    """What it says of the page; the page must have been fetched."""
    done = subprocess.run([chromium(), '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--enable-logging=stderr',
                           f'--user-data-dir={os.path.join(directory, "profile")}', *options, shown.url],
                          capture_output=True, text=True, timeout=SECONDS)
    assert '/page' in shown.asked, done.stderr
    return '\n'.join(line for line in done.stderr.splitlines() if 'CONSOLE' in line)


def picture(shown, directory, width=900, height=2400):
    """(file, what the console said)"""
    path = os.path.join(directory, 'page.png')
    said = run(shown, directory, f'--screenshot={path}', f'--window-size={width},{height}')
    return path, said


def paper(shown, directory):
    """(number of sheets, width and height of one in points)"""
    path = os.path.join(directory, 'page.pdf')
    run(shown, directory, '--no-pdf-header-footer', f'--print-to-pdf={path}')
    with open(path, 'rb') as file:
        pdf = file.read()
    [box] = {tuple(map(float, match.split())) for match in re.findall(rb'/MediaBox\s*\[([\d. ]+)\]', pdf)}
    return len(re.findall(rb'/Type\s*/Page\b', pdf)), box[2:]
