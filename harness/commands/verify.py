"""Compare losses on random cases, without timing."""

import argparse

from harness.commands.arguments import add_contenders, add_numbers, manifest_of
from harness.measure import verify
from harness.measure.contenders import skipped
from harness.measure.environment import look_around
from harness.measure.runner import guarded
from harness.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    add_numbers(
        parser,
        cases=(60, "random cases"),
        seed=(1, "seed of the random cases"),
        timeout_s=(60, "seconds for one run"),
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Check every case; nothing compared, or one difference, is a failure."""
    manifest = manifest_of(arguments)
    with guarded():
        here = look_around(manifest, arguments.contenders)
        for line in skipped(here.missing):
            terminal.note(line)
        differing = alone = fewer = 0
        with terminal.counting("comparing", arguments.cases) as advance:
            for case in verify.random_cases(arguments.cases, arguments.seed):
                asked = sum(case.method in contender.methods for contender in manifest)
                compared, differences = verify.check(case, here.contenders, arguments.timeout_s)
                differing += bool(differences)
                alone += compared < 2 and not differences
                fewer += 2 <= compared < asked
                for difference in differences:
                    terminal.say(difference)
                advance()
    names = ", ".join(contender.name for contender in here.contenders)
    same = arguments.cases - differing - alone
    lax = ", ".join(contender.name for contender in here.contenders if contender.tolerance)
    terminal.say(
        f"{arguments.cases} random cases, {names}: {same} identical"
        + (f" ({lax}: within the tolerance)" if lax else "")
        + f", {differing} different"
        + (f", {alone} with nobody to compare" if alone else "")
        + (f"; {fewer} of them compared by fewer than were asked" if fewer else "")
    )
    return int(differing + alone > 0)
