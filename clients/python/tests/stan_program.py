"""CmdStan itself for tests: the program that the wheel of `prophet` holds, a model of 5 parameters, compiled."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# Eight points in time, two regressors, two changes of the trend.
_TIME = [0, 0.14, 0.28, 0.42, 0.57, 0.71, 0.85, 1]
_SIZES = {"T": 8, "K": 2, "S": 2, "tau": 0.05, "trend_indicator": 0}
_VALUES = {"t": _TIME, "y": [0.1, 0.3, 0.2, 0.5, 0.4, 0.7, 0.6, 0.9], "cap": [1] * 8, "t_change": [0.3, 0.6]}
_REGRESSORS = {"X": [[0, 1], [1, 0], [0, -1], [-1, 0]] * 2, "s_a": [1, 1], "s_m": [0, 0], "sigmas": [10, 10]}
_DATA = _SIZES | _VALUES | _REGRESSORS
# Its variables with their shapes, in the order of its columns.
SHAPES = {"k": (), "m": (), "delta": (2,), "sigma_obs": (), "beta": (2,), "trend": (8,)}


class StanProgram:
    """Runs the program in a folder.

    Parameters
    ----------
    folder : the place of its data and of its output.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path, self._folder = path, folder
        (folder / "data.json").write_text(json.dumps(_DATA))

    def command(self, *arguments: str, output: str = "output.csv", seed: int = 7) -> list[str]:
        rest = ["data", "file=data.json", "random", f"seed={seed}", "output", f"file={output}"]
        return [str(self._path), *arguments, *rest]

    def run(self, *arguments: str, output: str = "output.csv", seed: int = 7, more: Sequence[str] = ()) -> Path:
        """Runs it to its end; the file that it was told to write."""
        command = [*self.command(*arguments, output=output, seed=seed), *more]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return self._folder / output

    def start(self, *arguments: str, output: str = "output.csv", seed: int = 7) -> subprocess.Popen[bytes]:
        command = self.command(*arguments, output=output, seed=seed)
        return subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def program(tmp_path: Path) -> StanProgram:
    spec = importlib.util.find_spec("prophet")
    path = Path(spec.origin).parent / "stan_model" / "prophet_model.bin" if spec and spec.origin else None
    if path is None or not path.exists():
        pytest.skip("CmdStan is absent: the package prophet, whose wheel holds a compiled program, is not installed")
    return StanProgram(path, tmp_path)
