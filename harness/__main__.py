"""Runs the command line: python -m harness."""

import os
import signal

# Until the command line has handlers of its own, Ctrl-C ends without a traceback from the midst of an import.
# What was ignored from the start, as under nohup, stays so.
if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from harness.cli import main

raise SystemExit(main())
