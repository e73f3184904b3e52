import pytest

from dataset_builders.phantom.drawings import DRAWINGS, draw


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_depends_on_its_name_and_language_alone(name):
    assert draw(name, "zh") == draw(name, "zh") != draw(name, "en")
