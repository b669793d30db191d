"""The loss curve as a picture. Nothing else needs an installed package, so this is imported on demand."""

from __future__ import annotations

import errno
import os
import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from command_line import Failure, quoted


def check_plot(path: str) -> None:
    """Raise Failure if no picture can be written to ``path``; what is there stays as it is."""
    formats = Figure().canvas.get_supported_filetypes()
    if picture_format(path) not in formats:
        raise Failure(f"--plot: got {quoted(path)}, takes a name that ends in .{', .'.join(formats)}", 2)
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        folder = Path(path).parent
        if not (isinstance(error, FileNotFoundError) and path and folder.is_dir()):
            raise unwritable(path, error.strerror) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise unwritable(path, os.strerror(errno.EACCES)) from error


def save_plot(path: str, losses: Sequence[float], run: str) -> None:
    """Draw the loss against the epoch, epoch 0 being the untrained network; ``run`` says of which run."""
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(losses)), losses, marker=".")
    axes.set(title=textwrap.fill(f"Loss of {run}", 60), xlabel="epoch", ylabel="overall loss", yscale="log")
    # Whole epochs only, also if a single one can be drawn.
    axes.set_xlim(-0.5, len(losses) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    picture = BytesIO()
    try:
        figure.savefig(picture, format=picture_format(path))
        # Only a picture that is drawn replaces one that is there.
        Path(path).write_bytes(picture.getbuffer())
    except (OSError, ValueError, RuntimeError) as error:
        raise unwritable(path, error.strerror if isinstance(error, OSError) else error) from error


def picture_format(path: str) -> str:
    """Return the format that the name of a picture asks for."""
    return Path(path).suffix[1:].lower() or "png"


def unwritable(path: str, reason: object) -> Failure:
    """Return the failure to write to ``path``."""
    return Failure(f"--plot: cannot write {quoted(path)}: {reason}", 1)
