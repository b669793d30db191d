"""Runs a peer's program on many cases in one process, for the tests: most take long to start.

The program's path is the argument. Standard input has the command lines as JSON, a list of words each;
standard output gets what each wrote, a pair of texts each.
"""

import importlib
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path


def main() -> None:
    """Run all cases."""
    path = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    program = importlib.import_module(path.stem)
    said = []
    for words in json.load(sys.stdin):
        sys.argv = [path.name, *words]
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            # The twin's takes its words as an argument.
            program.main(words) if path.name == "main.py" else program.main()
        said.append((out.getvalue(), err.getvalue()))
    json.dump(said, sys.stdout)


main()
