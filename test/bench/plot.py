"""plot: the medians of a report as bars, in SVG: for each work the rate of each side and its server's CPU time for one answer."""
from xml.sax.saxutils import escape

from gauge import median

WIDTH, LABEL, SIDE, GAP, BAR, BETWEEN, TOP = 980, 20, 110, 24, 16, 30, 58
PANEL = (WIDTH - LABEL - SIDE - GAP - 20) // 2
NUMBER = 78  # what the words behind the longest bar take
COLOURS = {'aipoten': '#1b6ca8', 'bare libh2o': '#8a8f98', 'bare write(2)': '#8a8f98', 'pgbench': '#b08a3e', 'Fastify': '#4c9a5f',
           'NestJS': '#b5525c'}


def text(x, y, words, more=''):
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(words)}</text>'


def bars(x, rows, biggest, colour, unit):
    """One panel of one work; rows: (y, value)."""
    for side, y, value in rows:
        if value:
            length = max(1.0, value / biggest * (PANEL - NUMBER))
            words = f'{value:,.0f}{unit}' if value >= 100 else f'{value:.1f}{unit}'
            yield f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{colour.get(side.split(" (")[0], "#666")}"/>'
            yield text(x + length + 5, y + BAR - 5, words)


def work_drawn(y, work, sides):
    """Each work has a scale of its own: what is compared are its sides."""
    values = {side: (median(took.rate for took in rounds), median(took.server for took in rounds)) for side, rounds in sides.items()}
    yield text(LABEL, y + 12, work, 'font-weight="bold"')
    y += 20
    for number, side in enumerate(values):
        yield text(LABEL + SIDE - 8, y + number * BAR + BAR - 5, side, 'text-anchor="end"')
    for panel, unit in ((0, '/s'), (1, ' µs')):
        biggest = max(value[panel] for value in values.values()) or 1.0
        x = LABEL + SIDE + panel * (PANEL + GAP)
        yield from bars(x, [(side, y + number * BAR, value[panel]) for number, (side, value) in enumerate(values.items())],
                        biggest, COLOURS, unit)


def draw(report, path, title):
    """Nothing when no work was measured."""
    if not report.works:
        return False
    lines, y = [text(LABEL, 22, title, 'font-size="14"'),
                text(LABEL + SIDE, 44, 'answers a second (longer is better)', 'fill="#555"'),
                text(LABEL + SIDE + PANEL + GAP, 44, "server's CPU for one answer (shorter is better)", 'fill="#555"')], TOP
    for work, sides in report.works.items():
        lines += work_drawn(y, work, sides)
        y += 20 + len(sides) * BAR + BETWEEN - 16
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
                   'font-family="sans-serif" font-size="11.5">\n<rect width="100%" height="100%" fill="#fff"/>\n'
                   + '\n'.join(lines) + '\n</svg>\n')
    return True
