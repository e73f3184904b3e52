import json
import time

import pytest
import yaml

from dataset_builders.licences import check_licence
from tests.conftest import DATA


def test_all_real_permission_blocks(gold):
    for case in json.loads((gold / "licence_cases.json").read_text()):
        licence = check_licence(case["xml"])
        expected = case["expected"]
        assert licence.allowed == (expected in ("BY", "CC0", "PD")), (case["why"], licence)
        if expected != "NONE":
            assert expected in licence.spdx, (case["why"], licence)


STATEMENTS = yaml.safe_load((DATA / "licence_statements.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "url", "spdx", "allowed"),
    [
        *STATEMENTS,
        ("Licensed under CC BY 4.0.", "", "CC-BY-4.0", True),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "", "CC-BY-SA-4.0", True),
        ("the Creative Commons Attribution License", "http://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0", True),
        ("the Creative Commons Attribution License", "", "CC-BY", True),
        ("CC BY‐NC‐ND 4.0", "", "CC-BY-NC-ND-4.0", False),
        ("Free for any noncommercial use", "https://creativecommons.org/licenses/by/4.0/", "CC-BY-NC", False),
        ("CC BY. No derivative works may be made.", "", "CC-BY-ND", False),
        ("", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", True),
        (
            "Creative Commons Attribution 4.0 International. The CC0 waiver applies to the data.",
            "http://creativecommons.org/publicdomain/zero/1.0/",
            "CC-BY-4.0",
            True,
        ),
        ("知识共享署名-非商业性使用 4.0 国际许可协议", "", "CC-BY-NC-4.0", False),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy", "", "MIT", True),
        ("Apache License, Version 2.0", "", "Apache-2.0", True),
        ("A work of the United States Government, not subject to copyright.", "", "LicenseRef-US-Government", True),
        ("This plate is in the public domain.", "", "LicenseRef-PublicDomain", True),
        ("This plate is not in the public domain.", "", "LicenseRef-Unknown", False),
        ("© 2020 The Authors. All rights reserved.", "", "LicenseRef-Unknown", False),
        ("Open access.", "", "LicenseRef-Unknown", False),
        ("Not for commercial use.", "", "LicenseRef-Unknown", False),
        ("", "", "LicenseRef-Unknown", False),
        ("gpl-3.0", "", "GPL-3.0-only", False),
    ],
)
def test_statement(text, url, spdx, allowed):
    licence = check_licence(text, url)
    assert (licence.spdx, licence.allowed) == (spdx, allowed)
    assert licence.reason


def test_commercial_use_that_is_granted_is_no_restriction():
    text = "Creative Commons Attribution 4.0: share and adapt for any purpose, including but not limited to commercial use."
    assert check_licence(text).spdx == "CC-BY-4.0"


_IDS = [
    "OGL-UK-3.0",
    "ODC-By-1.0",
    "ODbL-1.0",
    "GFDL-1.3-or-later",
    "BSD-3-Clause",
    "CC-BY-3.0-IGO",
    "CC-BY-4.0",
    "CC-BY",
    "CC-BY-NC-SA-3.0",
    "CC0-1.0",
    "CC-PDM-1.0",
    "MIT",
]
_REFS = ["LicenseRef-Hospital", "LicenseRef-Unknown", "LicenseRef-PublicDomain", "LicenseRef-US-Government"]


@pytest.mark.parametrize("spdx", _IDS + _REFS)
def test_an_id_is_read_back_as_itself(spdx):
    assert check_licence(spdx).spdx == spdx


def test_comments_of_markup_are_no_text():
    block = "<license><license-p><!-- non-commercial? -->Creative Commons Attribution License 4.0</license-p></license>"
    assert check_licence(block).allowed


def test_the_repository_s_own_licence_file_is_read():
    assert check_licence((DATA.parents[1] / "LICENSE").read_text(encoding="utf-8")).spdx == "Apache-2.0"


def test_a_long_text_is_read_in_reasonable_time():
    started = time.perf_counter()
    check_licence("cc by not commercial images use of the " * 3_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(("text", "allowed"), yaml.safe_load((DATA / "licence_kinds.yaml").read_text(encoding="utf-8")))
def test_statements_of_a_second_hand(text, allowed):
    assert check_licence(text).allowed == allowed
