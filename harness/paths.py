"""Where the project's own files are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder from which every command of a manifest is run."""
MANIFEST = ROOT / "harness" / "contenders.toml"
RESULTS = ROOT / "results"
