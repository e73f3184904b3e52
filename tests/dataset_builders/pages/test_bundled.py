from dataset_builders.engine.code import trace_code
from dataset_builders.pages import bundled
from tests.support.page_images import LEFT, two_columns


def test_lines_have_their_place_height_and_score() -> None:
    lines = bundled.recognise_lines(two_columns())
    first = next(line for line in lines if line.text == LEFT[0])
    assert first.score > 0.9
    assert 25 < first.height < 60
    left, top, right, bottom = first.box
    assert abs(left - 80) < 12
    assert top < 120 < bottom
    assert 400 < right < 680


def test_an_image_without_writing_has_no_lines() -> None:
    assert bundled.recognise_lines(two_columns().crop((0, 400, 1240, 700))) == []


def test_what_masks_hospital_images_does_not_depend_on_paddleocr() -> None:
    assert "dataset_builders/pages/bundled.py" in trace_code(("deidentify.pixels",)).files
    assert "dataset_builders/pages/paddle.py" not in trace_code(("deidentify.pixels",)).files


def test_an_engine_takes_one_core_so_that_workers_do_not_slow_each_other() -> None:
    engine = bundled._engine()
    sessions = [part.session.session.get_session_options() for part in (engine.text_det, engine.text_cls, engine.text_rec)]
    assert [options.intra_op_num_threads for options in sessions] == [1, 1, 1]
