"""What the rules leave open is put to the model only where it has proved itself, and its word counts as context."""

from datetime import UTC, datetime

import numpy as np
import pytest

from models.analyse import Analyser
from models.evaluate.context import FEWEST, choose, wire_questions
from models.linking import Linker
from models.linking.context import decided, questions
from models.linking.evaluate import Wire
from models.records import Document

NOW = datetime(2026, 7, 1, tzinfo=UTC)
OPEN = Document(
    id="d", source="x", kind="wire", title="太阳能在屋顶上", body="贵州茅台公告", published_at=NOW, fetched_at=NOW
)


@pytest.fixture(scope="module")
def linker():
    return Linker.load()


@pytest.fixture(scope="module")
def analyser(linker):
    return Analyser.load(threads=1, linker=linker, clock=lambda: NOW)


def test_only_open_names_of_unlinked_companies_are_asked(linker):
    assert [q.code for q in questions(linker.link("太阳能在屋顶上", ""), {})] == ["000591.SZ"]
    assert questions(linker.link("太阳能(000591)公告", "太阳能在屋顶上"), {}) == ()
    assert questions(linker.link("《芒果》太阳能(300413)", ""), {}) == ()  # a rule has ruled it out


def test_an_answer_counts_from_the_threshold(linker):
    asked = questions(linker.link("太阳能在屋顶上", ""), {"000591.SZ": "太阳能"})
    (link,) = decided(asked, {"000591.SZ": 0.9}, 0.9)
    assert (link.name, link.evidence, link.confidence, link.section) == ("太阳能", "context", 0.9, "title")
    assert decided(asked, {"000591.SZ": 0.89}, 0.9) == ()
    assert decided(asked, {}, 0.0 + 1e-9) == ()


@pytest.mark.parametrize(("threshold", "found"), [(None, {"600519.SH"}), (0.0, {"600519.SH", "000591.SZ"})])
def test_the_model_decides_only_with_a_threshold(analyser, threshold, found):
    analyser.company_threshold = threshold
    (analysis,) = analyser.analyse([OPEN])
    assert {m.code for m in analysis.mentions} == found
    assert all(m.evidence == "context" for m in analysis.mentions if m.code == "000591.SZ")
    analyser.company_threshold = None


def test_the_lowest_good_threshold_is_chosen_or_none():
    companies = np.r_[np.full(FEWEST, 0.82), np.full(5, 0.2)]
    others = np.array([0.75, 0.4, 0.1])
    sure, truth = np.r_[companies, others], np.r_[np.ones(len(companies)), np.zeros(len(others))].astype(bool)
    assert choose(sure, truth, np.zeros(3))["threshold"] == 0.8
    assert choose(sure, truth, np.full(5, 0.84))["threshold"] is None  # words pass as companies
    assert choose(sure[5:], truth[5:], np.zeros(3))["threshold"] is None  # too few to tell


def test_vendors_tags_are_the_truth_of_what_is_left_open(linker):
    def wire(*tags):
        return Wire("快讯", "太阳能在屋顶上", NOW, "x", tags)

    made = wire_questions(linker, [wire(("000591", "太阳能")), wire(("600519", "贵州茅台")), wire()], [])
    assert [q.is_company for q in made] == [True, False]  # a wire without tags says nothing
    assert wire_questions(linker, [wire(("000591", "太阳能"))], ["快讯"]) == []  # may have been trained on
