import sys

import pytest

from dataset_builders.__main__ import main
from tests.support.europe_pmc_server import CC_BY_NC
from tests.support.fetched import QUERY


def test_the_command_sums_up_and_its_status_tells_failures(site, address, tmp_path, monkeypatch, capsys):
    arguments = ("europe-pmc", "--query", QUERY, "--output", str(tmp_path), "--address", f"{address}/", "--interval", "0")
    monkeypatch.setattr(sys, "argv", ["dataset_builders", "fetch", *arguments])
    site.publish("PMC1", ("fig",))
    site.publish("PMC2", licence=CC_BY_NC)
    assert main() == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["kept", "–", "CC-BY-4.0", "1", "2"] in rows and ["left_out", "licence", "CC-BY-NC", "1", "0"] in rows
    site.publish("PMC3")
    site.troubles["/PMC3/fullTextXML"] = [403]
    assert main() == 1
    assert "PMC3: http_403" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ((), "--output DIR"),
        (("spider",), "--output DIR"),
        (("europe-pmc", "--output", "x"), "--query go together"),
        (("spider", "--query", "q", "--output", "x"), "--query go together"),
    ],
)
def test_the_command_says_what_is_missing(arguments, missing, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dataset_builders", "fetch", *arguments])
    assert main() == 1
    assert missing in capsys.readouterr().err and list(tmp_path.iterdir()) == []
