"""Runs a peer's program on many cases in one process, for the tests: most take long to start.

The program's path is the argument. Standard input has the command lines as JSON, a list of words each;
standard output gets what each wrote, a pair of texts each.
"""

import importlib
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout


def main():  # PyPy has Python 3.9, and this is run by every peer's Python.
    """Run all cases."""
    folder, name = os.path.split(sys.argv[1])
    sys.path.insert(0, os.path.abspath(folder))
    program = importlib.import_module(name[:-3])
    said = []
    for words in json.load(sys.stdin):
        sys.argv = [name, *words]
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            # The twin's takes its words as an argument.
            program.main(words) if name == "main.py" else program.main()
        said.append((out.getvalue(), err.getvalue()))
    json.dump(said, sys.stdout)


main()
