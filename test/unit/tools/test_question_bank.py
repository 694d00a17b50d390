"""schema/demo/questions: the bank of questions says something for every month of age, in one form, each question once."""
import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "schema" / "demo" / "questions"
AREAS = ["gross_motor", "fine_motor", "cognitive", "language", "social", "emotional"]
BANDS = [(4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15), (16, 17), (18, 19), (20, 21), (22, 23), (24, 26), (27, 29),
         (30, 32), (33, 35), (36, 41), (42, 47), (48, 53), (54, 59), (60, 65), (66, 71)]
ITEM = re.compile(r"(yes_no|scale|multiple_choice) (\d+) (-|critical|reverse|critical,reverse) (\S.*)")
LIMIT = 0.80    # from here on two texts count as one


def items_read(area):
    """(line number, band, type, weight, flags, text, options) of each item."""
    band = None
    for number, line in enumerate((FILES / f"{area}.txt").read_text().splitlines(), 1):
        where = f"{area}.txt:{number}"
        assert line == line.strip() and unicodedata.is_normalized("NFC", line), where
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            band = tuple(map(int, re.fullmatch(r"@ (\d+)-(\d+)", line).groups()))
            continue
        match = ITEM.fullmatch(line)
        assert match and band, f"{where}: TYPE WEIGHT FLAG TEXT"
        text, *options = match[4].split(" / ")
        yield where, band, match[1], int(match[2]), match[3], text, options


BANK = {area: list(items_read(area)) for area in AREAS}
ALL = [item for area in AREAS for item in BANK[area]]


def test_there_is_a_file_for_each_area_and_no_other():
    assert {path.name for path in FILES.iterdir()} == {f"{area}.txt" for area in AREAS}


@pytest.mark.parametrize("area", AREAS)
def test_twenty_bands_cover_every_month_with_six_questions_or_more(area):
    bands = list(dict.fromkeys(item[1] for item in BANK[area]))
    assert bands == BANDS
    assert [month for first, last in bands for month in range(first, last + 1)] == list(range(4, 72))
    of_band = Counter(item[1] for item in BANK[area])
    assert all(6 <= of_band[band] <= 7 for band in BANDS), of_band


@pytest.mark.parametrize("area", AREAS)
def test_every_band_asks_in_all_three_ways(area):
    for band in BANDS:
        types = Counter(item[2] for item in BANK[area] if item[1] == band)
        assert types["yes_no"] >= 2 and types["scale"] >= 1 and types["multiple_choice"] >= 1, (area, band, types)
        assert sum("critical" in item[4] for item in BANK[area] if item[1] == band) <= 1, (area, band)


def test_a_question_is_one_sentence_that_ends_as_a_question():
    for where, _, _, _, _, text, _ in ALL:
        assert text.endswith("요?"), where
        assert 12 <= len(text) <= 90, where
        assert "  " not in text and "/" not in text, where


def test_weights_are_thousandths_between_a_half_and_two():
    assert [item[0] for item in ALL if not 500 <= item[3] <= 2000] == []


def test_options_rise_from_nothing_to_all():
    for where, _, kind, _, _, _, options in ALL:
        if kind != "multiple_choice":
            assert options == [], where
            continue
        parts = [option.rsplit(" = ", 1) for option in options]
        assert 3 <= len(parts) <= 4 and all(len(part) == 2 for part in parts), where
        scores = [round(float(score) * 1000) for _, score in parts]
        assert scores == sorted(set(scores)) and scores[0] == 0 and scores[-1] == 1000, where
        assert all(score % 50 == 0 for score in scores), where
        assert len({label for label, _ in parts}) == len(parts), where


def test_no_question_names_an_illness_or_a_judgement():
    found = [item[0] for item in ALL if re.search("진단|장애|지연|비정상|정상", item[5] + " ".join(item[6]))]
    assert found == []


def test_no_two_questions_are_the_same_but_for_a_number_or_a_name():
    texts = [(item[0], re.sub(r"\d", "", item[5])) for item in ALL]
    letters = [Counter(text) for _, text in texts]
    twins = []
    for late, (late_where, late_text) in enumerate(texts):
        matcher = SequenceMatcher(None, "", late_text, autojunk=False)
        for early in range(late):
            early_where, early_text = texts[early]
            enough = LIMIT * (len(late_text) + len(early_text))
            # What the two have in common cannot be more than the shorter one, nor than the letters that both have.
            if 2 * min(len(late_text), len(early_text)) < enough:
                continue
            if 2 * sum(min(count, letters[early].get(letter, 0)) for letter, count in letters[late].items()) < enough:
                continue
            matcher.set_seq1(early_text)
            if matcher.ratio() >= LIMIT:
                twins.append((early_where, late_where, early_text, late_text))
    assert twins == []
