"""Where the time of the article's run goes. Pure."""

from pathlib import Path

import pandas as pd

from harness.errors import NothingMeasured, ResultsError

PARTS = ("start-up", "data", "compiling", "training", "printing", "end")
RUNS = ["contender", "method", "what", "round", "wall_s", "training_s", "compile_s"]
COLUMNS = ["contender", "method", *(f"{part}_s" for part in PARTS), "whole_s"]


def read(path: Path) -> pd.DataFrame:
    """Return the runs; raise ResultsError if the file cannot be read."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}; run make parts") from error
    if list(table.columns) != RUNS:
        raise ResultsError(f"{path}: has other columns than {', '.join(RUNS)}; move it away")
    return table


def parts(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the seconds of each part of a run, by contender and method, from medians over the rounds.

    Start-up is a run of one sample and no epoch. Data, with the targets and the first loss, is what a
    hundred samples take more. Printing is what a hundred epochs take more in training than one epoch of as
    many steps. Training has the rest of it: the steps and the loss after each epoch, which from outside
    cannot be told apart, for there are always as many losses of a sample as steps. The end is what is left.
    """
    lines = []
    for (method, contender), own in runs.groupby(["method", "contender"], sort=False):
        medians = own.groupby("what")[["wall_s", "training_s", "compile_s"]].median()
        if len(medians) < 4:
            continue
        whole, start = medians.loc["whole"], medians.loc["one sample"]
        bare, long = medians.loc["no epoch"], medians.loc["one epoch"]
        start_up = start["wall_s"] - start["compile_s"]
        data = max(0.0, bare["wall_s"] - bare["compile_s"] - start_up)
        printing = min(max(0.0, whole["training_s"] - long["training_s"]), whole["training_s"])
        trained = whole["training_s"] - printing
        known = start_up + data + whole["compile_s"] + whole["training_s"]
        seconds = (start_up, data, whole["compile_s"], trained, printing)
        end = max(0.0, whole["wall_s"] - known)
        lines.append((contender, method, *seconds, end, max(whole["wall_s"], known)))
    if not lines:
        raise NothingMeasured("no contender has ended all four runs, so there is nothing to show")
    return pd.DataFrame(lines, columns=COLUMNS)
