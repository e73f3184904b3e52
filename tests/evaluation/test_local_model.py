import shutil

import pytest
from safetensors.torch import load_file, save_file

from evaluation.local_model import LocalModel


def test_a_model_that_lacks_weights_is_not_evaluated_with_random_ones(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "lacking")
    weights = load_file(tiny_model / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, tmp_path / "lacking" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"--model: 1 missing weights in .*lacking: model\.language_model\.norm\.weight\."):
        LocalModel(str(tmp_path / "lacking"))
