"""Build the contenders."""

import argparse

from harness.commands.arguments import add_contenders, manifest_of
from harness.measure.contenders import build, probe, skipped
from harness.measure.session import undisturbed
from harness.terminal import Terminal

add_arguments = add_contenders


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run every build command; then say what failed, and which contenders can be run."""
    manifest = manifest_of(arguments)
    # What others measure must not be replaced meanwhile.
    with undisturbed(terminal):
        failures = build(manifest)
    terminal.error(*failures)
    versions, missing = probe(manifest)
    terminal.say(*(f"{name}: {version}" for name, version in versions.items()))
    terminal.note(*skipped(missing))
    return int(bool(failures) or any(one.name in missing and not one.hint for one in manifest))
