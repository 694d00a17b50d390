"""report: what was measured: works with the rounds of each side, and figures with their gates; as a table and as JSON.

A figure is a list of values, one for each round; what counts is their median. Any answer that was not 2xx voids the figure."""
import collections
import json

from gauge import median

Figure = collections.namedtuple('Figure', 'work what values unit gate most bad missing')


def number(value):
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.1f}' if value >= 100 else f'{value:.2f}'


class Report:
    def __init__(self):
        self.works = {}  # {work: {side: [Round]}}
        self.figures, self.notes = [], []

    def say(self, words):
        print(words, flush=True)

    def note(self, words):
        """Something that the reader of the table must know."""
        self.notes.append(words)
        self.say(words)

    def add_round(self, work, side, took):
        """A round of one side of a work."""
        self.works.setdefault(work, {}).setdefault(side, []).append(took)
        parts = [f'server {took.server:.1f} us'] if took.server else []
        parts += [f'PostgreSQL {took.postgres:.1f} us'] if took.postgres else []
        parts += [f'client {took.client:.1f} us']
        self.say(f'  {side:<12} {took.rate:>9,.0f}/s   CPU each: {", ".join(parts)}{f";  {took.bad} NOT 2xx" if took.bad else ""}')

    def figure(self, work, what, values, gate=None, most=False, unit='', bad=0, missing=0):
        """gate: at least so much, or at most with `most`; bad: answers that were not 2xx; missing: requests that an open loop
        could not send. Both void it."""
        self.figures.append(Figure(work, what, list(values), unit, gate, most, bad, missing))

    def compare(self, work, side, other, of, what, gate=None, most=False):
        """A ratio of two sides of a work, round by round; `of`: the field of Round."""
        sides = self.works.get(work, {})
        if side not in sides or other not in sides:
            return
        pairs = list(zip(sides[side], sides[other]))
        bad = sum(ours.bad + theirs.bad for ours, theirs in pairs)
        values = [getattr(ours, of) / max(getattr(theirs, of), 1e-9) for ours, theirs in pairs]
        self.figure(work, what, values, gate, most, ' x', bad)

    # --- afterwards ----------------------------------------------------------------------------------------------------

    @staticmethod
    def verdict(figure):
        if figure.bad:
            return f'void: {figure.bad} not 2xx'
        if figure.missing:
            return f'void: {figure.missing} were never sent'
        if figure.gate is None:
            return ''
        value = median(figure.values)
        return 'yes' if (value <= figure.gate if figure.most else value >= figure.gate) else 'NO'

    @property
    def void(self):
        return sum(figure.bad + figure.missing for figure in self.figures)

    def rows(self):
        for figure in self.figures:
            gate = '' if figure.gate is None else f'at {"most" if figure.most else "least"} {number(figure.gate)}{figure.unit}'
            yield (figure.work, figure.what, number(median(figure.values)) + figure.unit, gate, self.verdict(figure))

    def sides(self):
        for work, sides in self.works.items():
            for side, rounds in sides.items():
                medians = [median(getattr(took, field) for took in rounds) for field in ('rate', 'server', 'postgres', 'client')]
                yield (work, side, f'{medians[0]:,.0f}/s', *(f'{value:.1f}' if value else '' for value in medians[1:]))

    def table(self):
        """Two tables in Markdown: the medians of each side, and the ratios with their gates."""
        lines = []
        if self.works:
            lines += markdown(('work', 'side', 'rate', 'server µs', 'PostgreSQL µs', 'client µs'), self.sides()) + ['']
        lines += markdown(('work', 'figure', 'measured', 'gate', 'reached'), self.rows())
        return '\n'.join([*lines, *(['', *self.notes] if self.notes else [])])

    def write_json(self, path, about):
        with open(path, 'w', encoding='utf-8') as file:
            json.dump({**about, 'works': {work: {side: [took._asdict() for took in rounds] for side, rounds in sides.items()}
                                          for work, sides in self.works.items()},
                       'figures': [{**figure._asdict(), 'median': median(figure.values), 'reached': self.verdict(figure)}
                                   for figure in self.figures], 'notes': self.notes}, file, ensure_ascii=False, indent=1)


def markdown(head, rows):
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ['| ' + ' | '.join(text.ljust(width) for text, width in zip(row, widths)) + ' |' for row in rows]
    return [lines[0], '|' + '|'.join('-' * (width + 2) for width in widths) + '|', *lines[1:]]
