"""Compiles the Python program with mypyc, unchanged, into build/ beside this file.

Of its modules `main.py` stays as it is: it reads, prints and ends, and computes nothing.
"""

import os
import shutil
from pathlib import Path

from mypyc.build import mypycify
from setuptools import setup

HERE = Path(__file__).resolve().parent
MODULES = ("command_line.py", "gradients.py", "network.py", "training.py")

build = HERE / "build"
shutil.rmtree(build, ignore_errors=True)
build.mkdir()
for module in ("main.py", *MODULES):
    shutil.copy(HERE.parent.parent / "python_impl" / module, build)
os.chdir(build)
setup(
    name="flatnet-mypyc",
    # The project's own settings for mypy are about other folders.
    ext_modules=mypycify(["--config-file=", *MODULES], opt_level="3"),
    script_args=["--quiet", "build_ext", "--inplace"],
)
for module in MODULES:
    (build / module).unlink()
