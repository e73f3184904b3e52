import pytest
from lxml import etree

from dataset_builders.phantom.case_reports import make_case_reports
from tests.support.invalid_levels import invalid_levels

XLINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def reports():
    return make_case_reports(seed=0)


def test_case_reports_are_jats_whose_figures_are_cited_and_there(reports):
    articles = {name: etree.fromstring(content) for name, content in reports.items() if name.endswith(".xml")}
    assert len(articles) >= 4
    images = set()
    for article in articles.values():
        figures = {figure.get("id") for figure in article.iter("fig")}
        assert figures == {xref.get("rid") for xref in article.iter("xref") if xref.get("ref-type") == "fig"}
        images |= {graphic.get(XLINK) for graphic in article.iter("graphic")}
        assert article.find(".//license").get(XLINK) == "https://creativecommons.org/licenses/by/4.0/"
        assert article.findtext(".//article-id").startswith("10.5555/")
    assert images == {name for name in reports if name.endswith(".png")}
    assert sum("<fig " in reports[name].decode() for name in articles) >= 2


def test_levels_in_case_reports_exist(reports):
    texts = [content.decode() for name, content in reports.items() if name.endswith(".xml")]
    assert texts and [wrong for text in texts for wrong in invalid_levels(text)] == []
