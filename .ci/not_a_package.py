"""The build back end of a project that is not installed: it says so, to whatever tool asks."""

import sys
from typing import NoReturn


def refuse(*_: object) -> NoReturn:
    """End with the reason."""
    sys.exit(
        "error: flatnet is not a package: it builds and times programs in its own folder; type make bench"
    )


get_requires_for_build_wheel = get_requires_for_build_editable = get_requires_for_build_sdist = refuse
build_wheel = build_editable = build_sdist = refuse
