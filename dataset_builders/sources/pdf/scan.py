"""A page image to Markdown, by the bundled engine or by PP-StructureV3."""

from typing import Any

from PIL import Image

from dataset_builders.pages.ocr import recognise_page


def image_to_markdown(image: Image.Image, engine: str = "rapidocr", dpi: float = 150.0, **paddle_options: Any) -> str:
    """The text of a page image as Markdown in reading order.

    ``paddle_options`` go to PP-StructureV3: ``text_detection_model_dir``, ``text_recognition_model_dir``,
    ``layout_detection_model_dir`` name local model folders (without them it fetches its models at first use).
    Raises ValueError for an unknown engine, ImportError where the extra of "paddle" is not installed.
    """
    if engine == "paddle":
        return _run_paddle(image, paddle_options)
    if engine != "rapidocr":
        raise ValueError(f"engine {engine!r}: use 'rapidocr' or 'paddle'")
    from dataset_builders.sources.pdf import write_markdown
    from dataset_builders.sources.pdf.flow import read_flow

    content, _ = recognise_page(image, dpi)
    return write_markdown(read_flow([content]).elements, {})


def _run_paddle(image: Image.Image, options: dict[str, Any]) -> str:
    try:
        from paddleocr import PPStructureV3
    except ImportError as error:
        raise ImportError(
            "the paddle engine needs PP-StructureV3: pip install 'spinemed[paddle]', or use engine='rapidocr'"
        ) from error
    import numpy as np

    pipeline = PPStructureV3(**options)
    pages = list(pipeline.predict(np.asarray(image.convert("RGB"))[:, :, ::-1]))
    return "\n\n".join(page.markdown["markdown_texts"] for page in pages) + "\n"
