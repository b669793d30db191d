"""Let the kernels import the program, which is a folder of modules and no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
