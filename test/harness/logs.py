"""logs: everything a system writes below its var, read from a mark onwards."""
import json
import os
import re

# What no process of ours may ever say: sanitizers' reports, and our own panics.
REPORT = re.compile(r'(ERROR: (Address|Leak|Memory|Thread)Sanitizer|runtime error: |SUMMARY: \w+Sanitizer'
                    r'|"event":"panic"|\bpanic:| panic )')
TAIL_LINES = 40


class Logs:
    """The log files below one or more directories; a mark is their sizes at one moment."""

    def __init__(self, *directories):
        self.directories = directories

    def files(self):
        found = []
        for directory in self.directories:
            for where, _, names in os.walk(directory):
                found += [os.path.join(where, name) for name in names if '.log' in name or 'asan' in name]
        return sorted(found)

    def mark(self):
        sizes = {}
        for path in self.files():
            try:
                sizes[path] = os.path.getsize(path)
            except FileNotFoundError:
                pass
        return sizes

    def since(self, mark):
        """{path: text written after the mark}; a file that shrank was rotated and is read whole."""
        texts = {}
        for path in self.files():
            try:
                with open(path, 'rb') as file:
                    start = mark.get(path, 0)
                    if start > os.fstat(file.fileno()).st_size:
                        start = 0
                    file.seek(start)
                    text = file.read().decode('utf-8', 'replace')
            except FileNotFoundError:
                continue
            if text:
                texts[path] = text
        return texts

    def events(self, mark, name):
        """The lines of this event since the mark, as objects."""
        lines = [line for text in self.since(mark).values() for line in text.splitlines() if f'"event":"{name}"' in line]
        return [json.loads(line) for line in lines]

    def reports(self, mark):
        """Lines of sanitizers' reports and panics since the mark, each with a few that follow."""
        found = []
        for path, text in self.since(mark).items():
            lines = text.splitlines()
            for number, line in enumerate(lines):
                if REPORT.search(line):
                    found.append(f'{path}:\n' + '\n'.join(lines[number:number + TAIL_LINES]))
                    break
        return found

    def tail(self, mark):
        parts = []
        for path, text in self.since(mark).items():
            lines = text.splitlines()[-TAIL_LINES:]
            parts.append(f'--- {path}\n' + '\n'.join(lines))
        return '\n'.join(parts)
