"""The bench's own arithmetic: what it reads from h2load, what a gate says, what voids a figure, and that the plot is a picture."""
import json
import os
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'bench'))

import gauge  # noqa: E402
import memory  # noqa: E402
import openloop  # noqa: E402
import plot  # noqa: E402
from report import Report  # noqa: E402

SAID = """finished in 2.00s, 61736.50 req/s, 24.65MB/s
requests: 123473 total, 123473 started, 123473 done, 123000 succeeded, 473 failed, {errored} errored, 0 timeout
status codes: 123000 2xx, 3 3xx, {refused} 4xx, 70 5xx
"""


def taken(rate, server, bad=0):
    return gauge.Round(rate, server, 0.0, 1.0, 1000, bad)


def test_what_h2load_said():
    assert gauge.h2load_said(SAID.format(errored=0, refused=400)) == (61736.5, 123000, 473)
    assert gauge.h2load_said(SAID.format(errored=500, refused=400)) == (61736.5, 123000, 500)
    with pytest.raises(RuntimeError, match='no such file'):
        gauge.h2load_said('no such file')


def test_percentiles():
    values = list(range(1, 101))
    assert [gauge.percentile(values, part) for part in (0, 0.5, 0.99, 1)] == [1, 51, 100, 100]
    assert gauge.percentile([7], 0.99) == 7


@pytest.mark.parametrize('values, gate, most, bad, missing, verdict', [
    ([2.0, 0.9, 1.1], 1.0, False, 0, 0, 'yes'), ([2.0, 0.9, 0.8], 1.0, False, 0, 0, 'NO'), ([2.0, 0.9, 1.1], 1.0, True, 0, 0, 'NO'),
    ([2.0, 0.9, 0.8], 1.0, True, 0, 0, 'yes'), ([1.0], None, False, 0, 0, ''), ([2.0], 1.0, False, 3, 0, 'void: 3 not 2xx'),
    ([2.0], 1.0, False, 0, 4, 'void: 4 were never sent')])
def test_gates(values, gate, most, bad, missing, verdict):
    report = Report()
    report.figure('work', 'what', values, gate, most, bad=bad, missing=missing)
    assert report.verdict(report.figures[0]) == verdict
    assert report.void == bad + missing


def two_sides(bad=0):
    report = Report()
    for rate, server in ((100, 2.0), (300, 2.0), (200, 3.0)):
        report.add_round('list', 'aipoten', taken(rate, server, bad))
        report.add_round('list', 'bare libh2o', taken(200, 2.0))
    report.compare('list', 'aipoten', 'bare libh2o', 'rate', 'rate', 0.8)
    report.compare('list', 'aipoten', 'bare libh2o', 'server', 'CPU', 1.35, most=True)
    report.compare('list', 'aipoten', 'Fastify', 'rate', 'rate of nobody')
    return report


def test_sides_are_compared_round_by_round(tmp_path):
    report = two_sides()
    assert [(figure.what, figure.values) for figure in report.figures] == [('rate', [0.5, 1.5, 1.0]), ('CPU', [1.0, 1.0, 1.5])]
    assert [row[2:] for row in report.rows()] == [('1.00 x', 'at least 0.80 x', 'yes'), ('1.00 x', 'at most 1.35 x', 'yes')]
    assert len({len(line) for line in report.table().splitlines() if 'list' in line}) == 2  # the columns of each table stand in line
    report.write_json(tmp_path / 'out.json', {'rounds': 3})
    with open(tmp_path / 'out.json', encoding='utf-8') as file:
        said = json.load(file)
    assert [one['rate'] for one in said['works']['list']['aipoten']] == [100, 300, 200] and said['figures'][0]['reached'] == 'yes'


def test_one_bad_answer_voids_each_figure_of_its_rounds():
    assert [row[-1] for row in two_sides(bad=1).rows()] == ['void: 3 not 2xx'] * 2


def test_plot(tmp_path):
    assert not plot.draw(Report(), tmp_path / 'none.svg', 'nothing')
    assert plot.draw(two_sides(), tmp_path / 'bench.svg', 'a < b')
    root = xml.etree.ElementTree.parse(tmp_path / 'bench.svg').getroot()
    bars = [float(each.get('width')) for each in list(root.iter('{http://www.w3.org/2000/svg}rect'))[1:]]  # the first is the ground
    assert len(bars) == 4 and bars[0] == bars[1]  # medians of the rates are the same
    assert {each.text for each in root.iter('{http://www.w3.org/2000/svg}text')} >= {'a < b', 'list', 'aipoten', '200/s', '2.0 µs'}


def test_sizes():
    assert [memory.size_of(words) for words in ('64M', '2G', '512K', '1048576', '0')] == [64, 2048, 0.5, 1, 0]


def test_latencies_in_words():
    assert openloop.words([1.0] * 999 + [30.0]) == '1,000 answers, p50 1.00 ms, p99 1.00 ms, p99.9 30.00 ms, longest 30.00 ms'
