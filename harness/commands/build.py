"""Builds the contenders."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.shared import add_contenders, manifest_of

if TYPE_CHECKING:
    from harness.console import Terminal

HELP = "build the contenders"
add_arguments = add_contenders


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Run every contender's build command; go on after a failure, and report it at the end."""
    from harness.measure.contenders import build

    failures = build(manifest_of(arguments))
    for line in failures:
        terminal.error(line)
    return int(bool(failures))
