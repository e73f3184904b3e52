"""What differs between the model families that SpineGPT is trained from, in one table: FAMILIES, by ``model_type``.

    qwen2_5_vl   Qwen2.5-VL 3B, 7B, 32B, 72B: the vision tower attends in windows; 28 × 28 pixels are a token
    qwen3_vl     Qwen3-VL 2B, 4B, 8B, 32B: deep-stack features of the vision tower's inner layers enter the first layers of the
                 language model, each through a merger of its own; 32 × 32 pixels are a token

Sizes of a family differ only in their configuration. Each family's processor here is the published one without its video half.
"""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

# What the video processor shares with the image processor.
VIDEO_SETTINGS = (
    "do_convert_rgb",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "merge_size",
    "patch_size",
    "rescale_factor",
    "size",
    "temporal_patch_size",
)


class SpineGPTProcessor(ProcessorMixin):
    """A processor without its video half; FAMILIES names the class of each family."""

    saved_as: ClassVar[str]
    saved_video_processor: ClassVar[str]
    image_token_id: int

    def __init__(
        self, image_processor: Qwen2VLImageProcessorPil, tokenizer: Qwen2Tokenizer, chat_template: str | None = None
    ) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs: Any) -> list[str]:
        """Write the files of a full processor, so that ``AutoProcessor`` and vLLM find what they look for."""
        saved = super().save_pretrained(save_directory, push_to_hub, **kwargs)
        folder = Path(save_directory)
        # The names that a machine with torchvision resolves; without it, transformers takes the Pil twin of the same name.
        image = {**self.image_processor.to_dict(), "image_processor_type": "Qwen2VLImageProcessor"}
        image["processor_class"] = self.saved_as
        video = {name: image[name] for name in VIDEO_SETTINGS} | {"video_processor_type": self.saved_video_processor}
        video["processor_class"] = self.saved_as
        _write_json(
            folder / "processor_config.json",
            {"processor_class": self.saved_as, "image_processor": image, "video_processor": video},
        )
        _write_json(folder / "preprocessor_config.json", image)
        _write_json(folder / "video_preprocessor_config.json", video)
        tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        _write_json(folder / "tokenizer_config.json", {**tokenizer_config, "processor_class": self.saved_as})
        return saved


class Qwen2_5SpineGPTProcessor(SpineGPTProcessor, Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor without its video half."""

    saved_as = "Qwen2_5_VLProcessor"
    saved_video_processor = "Qwen2VLVideoProcessor"


class Qwen3SpineGPTProcessor(SpineGPTProcessor, Qwen3VLProcessor):
    """Qwen3-VL's processor without its video half."""

    saved_as = "Qwen3VLProcessor"
    saved_video_processor = "Qwen3VLVideoProcessor"


@dataclass(frozen=True, slots=True)
class Family:
    """One family: its classes, its published chat template (a file that TRL packages) and image settings, a tiny one's sizes.

    ``projector`` are the modules of the vision tower that lead into the language model. ``tiny_text`` and ``tiny_vision`` are
    what a tiny configuration sets beyond the sizes that all families share.
    """

    title: str
    example: str
    model: type[PreTrainedModel]
    config: Any
    processor: type[SpineGPTProcessor]
    template_file: str
    image_settings: Mapping[str, Any]
    tiny_text: Mapping[str, Any]
    tiny_vision: Mapping[str, Any]

    @property
    def token_side(self) -> int:
        """Side of the square of an image that one token stands for, in pixels."""
        return 2 * self.image_settings["patch_size"]

    def chat_template(self) -> str:
        """Read TRL's packaged copy of the family's published chat template, unchanged to the byte."""
        # Found without importing TRL, which would load DeepSpeed to read a file.
        spec = importlib.util.find_spec("trl")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                "trl is not installed; its packaged chat template is needed. Install this project's requirements."
            )
        return (Path(spec.origin).parent / "chat_templates" / self.template_file).read_text(encoding="utf-8")


FAMILIES: Mapping[str, Family] = {
    "qwen2_5_vl": Family(
        title="Qwen2.5-VL",
        example="Qwen/Qwen2.5-VL-7B-Instruct",
        model=Qwen2_5_VLForConditionalGeneration,
        config=Qwen2_5_VLConfig,
        processor=Qwen2_5SpineGPTProcessor,
        template_file="qwen2_5_vl.jinja",
        image_settings={"patch_size": 14},
        # Qwen2.5-VL shares its 64 rotary pairs out as 16, 24, 24 to time, height and width; here there are 8.
        tiny_text={"rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}},
        tiny_vision={"fullatt_block_indexes": [1]},
    ),
    "qwen3_vl": Family(
        title="Qwen3-VL",
        example="Qwen/Qwen3-VL-8B-Instruct",
        model=Qwen3VLForConditionalGeneration,
        config=Qwen3VLConfig,
        processor=Qwen3SpineGPTProcessor,
        template_file="qwen3_vl.jinja",
        image_settings={"patch_size": 16, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
        # Qwen3-VL shares them out as 24, 20, 20, interleaved.
        tiny_text={
            "head_dim": 16,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        # A learned grid of 8 × 8 positions; the published one is 48 × 48.
        tiny_vision={"deepstack_visual_indexes": [0], "num_position_embeddings": 64},
    ),
}


def find_family(name_or_path: str | Path, *, revision: str = "main", argument: str = "model_name_or_path") -> Family:
    """Find the family of a model by the ``model_type`` in its config.json.

    Raises ValueError, naming ``argument`` and the fix, if there is no model there or if it is of no family in FAMILIES.
    """
    try:
        config, _ = PreTrainedConfig.get_config_dict(name_or_path, revision=revision)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{argument}: no model at {str(name_or_path)!r} ({error}). Give a Hub id such as "
            f"{FAMILIES['qwen2_5_vl'].example} or a folder with config.json and model.safetensors."
        ) from error
    model_type = str(config.get("model_type"))
    if model_type not in FAMILIES:
        known = " or ".join(f"{name!r} ({family.example})" for name, family in FAMILIES.items())
        raise ValueError(f"{argument}: {name_or_path} is a {model_type!r} model; SpineGPT is trained from {known}. Give one.")
    return FAMILIES[model_type]


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
