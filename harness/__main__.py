"""Runs the command line: python -m harness."""

import os
import signal

# Until the command line has handlers of its own, Ctrl-C ends without a traceback from the midst of an import.
# What comes before this line, the interpreter's own start, cannot be helped from here.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from harness.cli import main  # noqa: E402

raise SystemExit(main())
