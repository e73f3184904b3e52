"""The build of the embedded sources that a notebook finds done: the builders' tests share it (support.shared makes it once)."""

from tests.dataset_builders.conftest import built, small_sources

__all__ = ["built", "small_sources"]
