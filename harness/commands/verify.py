"""Compares the losses of all contenders on random cases."""

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_contenders, amount, manifest_of, whole
from harness.measure import verify
from harness.measure.environment import look_around
from harness.measure.runner import guarded

if TYPE_CHECKING:
    from harness.terminal import Terminal

HELP = "compare losses on random cases, without timing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_contenders(parser)
    parser.add_argument("--cases", type=whole(1), default=60, metavar="N", help="random cases (default: 60)")
    parser.add_argument(
        "--seed", type=whole(0), default=1, metavar="N", help="seed of the random cases (default: 1)"
    )
    parser.add_argument(
        "--timeout",
        type=amount("seconds"),
        default=60.0,
        metavar="S",
        help="seconds for one run (default: 60)",
    )


def run(arguments: argparse.Namespace, terminal: "Terminal") -> int:
    """Check every case; nothing compared, or one difference, is a failure."""
    manifest = manifest_of(arguments)
    with guarded():
        here = look_around(manifest)
        terminal.missing(here.missing)
        differing = alone = fewer = 0
        with terminal.counting("comparing", arguments.cases) as advance:
            for case in verify.random_cases(arguments.cases, arguments.seed):
                asked = sum(case.method in contender.methods for contender in manifest)
                compared, differences = verify.check(case, here.contenders, arguments.timeout)
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
