import numpy as np
import pytest
from PIL import Image

from dataset_builders.document import Companion, Document, Finding, Reject, SourceError
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import spider

GRADINGS = (
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,"
    "Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade\n"
    "7,2,2,0,1,1,0,1,0,5\n"
    "7,1,0,0,0,0,1,0,1,3\n"
    "7,3,0,0,0,0,0,0,0,2\n"
    "70,1,1,0,0,0,0,0,0,4\n"
)
OVERVIEW = "new_file_name,num_vertebrae,num_discs,sex\n7_t1,3,3,F \n7_t2,3,3,F \n70_t2,3,3,M\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "radiological_gradings.csv").write_text(GRADINGS, encoding="utf-8-sig")
    (tmp_path / "overview.csv").write_text(OVERVIEW)
    (tmp_path / "mid-sagittal").mkdir()
    for number, name in enumerate(("7_t1", "7_t2", "70_t2")):
        Image.new("L", (40, 60), 40 * number).save(tmp_path / "mid-sagittal" / f"{name}.png")
    return tmp_path


def read(path, root):
    return list(spider.read(path, Declared(root=root, source_kind="open_dataset")))


def document(results):
    (found,) = [result for result in results if isinstance(result, Document)]
    return found


def test_gradings_become_findings_at_discs_counted_from_below(folder):
    found = document(read(folder / "mid-sagittal" / "7_t1.png", folder))
    assert found.id == "spider:7" and found.provenance.source_licence == "CC-BY-4.0"
    assert found.discs == ("L3/L4", "L4/L5", "L5/S1")
    assert found.levels == ("L3", "L4", "L5")
    assert set(found.findings) == {
        Finding("modic_change", "L4/L5", "Modic 2"),
        Finding("endplate_change", "L4/L5", "lower end plate"),
        Finding("spondylolisthesis", "L4/L5"),
        Finding("disc_narrowing", "L4/L5"),
        Finding("disc_degeneration", "L4/L5", "Pfirrmann 5"),
        Finding("disc_herniation", "L5/S1"),
        Finding("disc_bulge", "L5/S1"),
        Finding("disc_degeneration", "L5/S1", "Pfirrmann 3"),
        Finding("disc_degeneration", "L3/L4", "Pfirrmann 2"),
    }
    assert "Pfirrmann 2)" not in found.markdown  # no finding of disease
    assert "L3/L4 grade 2" in found.markdown and "female" in found.markdown


def test_a_stretched_image_is_a_named_reject_and_the_others_stay(folder):
    Image.new("L", (40, 66)).save(folder / "mid-sagittal" / "7_t1.png")
    results = read(folder / "mid-sagittal" / "7_t1.png", folder)
    assert [(r.file, r.reason) for r in results if isinstance(r, Reject)] == [("mid-sagittal/7_t1.png", "stretched_image")]
    assert [figure.locator for figure in document(results).figures] == ["T2 mid-sagittal slice"]
    Image.new("L", (40, 66)).save(folder / "mid-sagittal" / "7_t1.png", dpi=(72, 72))  # its pixels are said to be square
    assert len(document(read(folder / "mid-sagittal" / "7_t1.png", folder)).figures) == 2


def test_what_spider_does_not_grade_is_said(folder):
    assert "spinal canal" in document(read(folder / "mid-sagittal" / "7_t1.png", folder)).ungraded


def test_a_patient_is_one_document_and_the_rest_are_companions(folder):
    first = "mid-sagittal/7_t1.png"
    found = document(read(folder / first, folder))
    assert [figure.locator for figure in found.figures] == ["T1 mid-sagittal slice", "T2 mid-sagittal slice"]
    assert read(folder / "mid-sagittal" / "7_t2.png", folder) == [Companion("mid-sagittal/7_t2.png", first)]
    for name in ("radiological_gradings.csv", "overview.csv"):
        (companion,) = read(folder / name, folder)
        assert companion.file == name and companion.of.endswith(".png")


def test_only_spider_files_are_taken(folder):
    head = (folder / "radiological_gradings.csv").read_bytes()[:4096]
    assert spider.accepts(folder / "radiological_gradings.csv", head)
    assert spider.accepts(folder / "mid-sagittal" / "7_t1.png", b"")
    assert not spider.accepts(folder / "mid-sagittal" / "photo.png", b"")
    (folder / "radiological_gradings.csv").unlink()
    assert not spider.accepts(folder / "mid-sagittal" / "7_t1.png", b"")


def test_volumes_take_levels_from_their_mask(folder):
    sitk = pytest.importorskip("SimpleITK")
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 800, (60, 60, 20)).astype(np.int16)  # z, y, x
    mask = np.zeros(image.shape, dtype=np.uint8)
    for number, low in ((1, 5), (2, 23), (3, 41)):
        mask[low : low + 13, 10:30, 4:16] = number
        mask[low - 5 : low, 10:30, 4:16] = 200 + number
    for kind, array in (("images", image), ("masks", mask)):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing((4.0, 2.0, 2.0))
        sitk.WriteImage(volume, str(folder / kind / "70_t2.mha"))
    (folder / "mid-sagittal" / "70_t2.png").unlink()
    assert spider.accepts(folder / "masks" / "70_t2.mha", b"")
    found = document(read(folder / "images" / "70_t2.mha", folder))
    assert len(found.figures) == 25
    assert found.levels == ("L3", "L4", "L5")
    middle = [figure for figure in found.figures if "sagittal" in figure.locator and len(figure.levels) == 3]
    assert middle and middle[0].discs == ("L3/L4", "L4/L5", "L5/S1")
    assert any(Finding("modic_change", "L5/S1", "Modic 1") in figure.findings for figure in middle)
    assert read(folder / "masks" / "70_t2.mha", folder) == [Companion("masks/70_t2.mha", "images/70_t2.mha")]
    (folder / "images" / "70_t2.mha").write_bytes(b"ObjectType = Image\nNDims = 3\n")
    with pytest.raises(SourceError, match="bad_mha"):
        read(folder / "images" / "70_t2.mha", folder)


def test_broken_tables_and_images_say_where(folder):
    (folder / "mid-sagittal" / "7_t2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(SourceError, match=r"bad_image: 7_t2\.png"):
        read(folder / "mid-sagittal" / "7_t1.png", folder)
    (folder / "radiological_gradings.csv").write_text(GRADINGS.replace("7,1,0,0", "7,1,x,0"))
    with pytest.raises(SourceError, match="'Modic' of patient 7"):
        read(folder / "mid-sagittal" / "7_t1.png", folder)


def test_the_real_gradings_are_read(sources):
    root = sources / "imaging" / "spider"
    found = document(read(root / "mid-sagittal" / "106_t1.png", root))
    assert found.id == "spider:106" and len(found.figures) == 2
    assert Finding("disc_degeneration", "L5/S1", "Pfirrmann 4") in found.findings


def test_the_real_images_that_are_stretched_are_refused(sources):
    root = sources / "imaging" / "spider"
    rejects = read(root / "mid-sagittal" / "15_t1.png", root)
    assert [reject.reason for reject in rejects] == ["stretched_image"] * 2
