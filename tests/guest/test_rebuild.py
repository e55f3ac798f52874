"""The committed images are what their sources give, wherever they lie."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from dcsim.guest import build

LINUX = [f"linux/{name}" for name in ("programs", "programs-of-c++")]


@pytest.mark.slow
@pytest.mark.timeout(900)  # The first time on a machine the compiler builds its C++ library.
@pytest.mark.parametrize("folder", ["a", "elsewhere/with a space"])
def test_image_is_rebuilt_to_the_same_bytes_from_any_folder(
    folder: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ziglang = pytest.importorskip("ziglang", reason="the compiler package ziglang is missing")
    version = importlib.metadata.version(ziglang.__name__)
    if version != build.COMPILER_VERSION:
        pytest.skip(f"the image was built with ziglang {build.COMPILER_VERSION}, not {version}")
    sources, output = tmp_path / folder / "guest", tmp_path / "output"
    shutil.copytree(repository / "dcsim" / "guest", sources)
    monkeypatch.setattr(build, "SOURCES", sources)
    build.build(output)
    for name in ("kernel.elf", "monitor.elf", "programs.json", *LINUX):
        committed = repository / "dcsim" / "guest" / "images" / name
        assert (output / name).read_bytes() == committed.read_bytes(), name
