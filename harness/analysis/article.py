"""The article's claims, each beside what was measured, and where the time of its run goes. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import read_csv
from harness.analysis.intervals import median_interval
from harness.analysis.results import Results
from harness.case import Shape
from harness.claims import Article, Claim
from harness.digits import three_digits
from harness.errors import NothingMeasured

COLUMNS = ["claim", "says", "verdict", "figure", "basis"]
NOT_MEASURED = "not measured"
STORAGE = ["contender", "layers", "round", "flat_s", "nested_s"]
SEEDS = ["run", "seed", "contender", "initial_loss", "final_loss"]
PART_RUNS = ["contender", "method", "what", "round", "wall_s", "training_s", "compile_s"]
FILES = {"claims.csv": COLUMNS, "seeds.csv": SEEDS, "storage.csv": STORAGE, "parts.csv": PART_RUNS}
"""The tables that `make article` writes: their columns."""
PARTS = ("start-up", "data", "compiling", "training", "printing", "end")
_FEW = 3
"""So many figures are all told; of more, the least and the largest."""


def judged(article: Article, results: Results, storage: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each claim: confirmed, refuted, cannot tell or not measured, with its figures.

    ``storage`` has the rounds of flat and nested forward passes, ``seeds`` the losses of the article's runs.
    """
    tables = {
        "scaling": results.exponents,
        "speedup": results.speedups.assign(
            control=results.speedups["control"].map({True: "yes", False: "no"})
        ),
        "crossover": results.crossovers,
        "storage": stored(storage),
        "seeds": printed(article, seeds),
    }
    lines = [_judge(claim, tables[claim.table]) for claim in article.claim]
    return pd.DataFrame(lines, columns=COLUMNS)


def _judge(claim: Claim, table: pd.DataFrame) -> dict[str, str]:
    lines = _lines(table, claim.where)
    found = [one for one in lines if not np.isnan([one["low"], one["high"]]).any()]
    others = _lines(table, {**claim.where, **claim.than}) if claim.than else []
    limits = {one["method"]: (one["low"], one["high"]) for one in others}
    sides = set()
    for one in found:
        low, high = limits.get(one.get("method"), (claim.limit, claim.limit))
        if claim.holds == "inside":
            sides.add("inside" if one["low"] <= one[claim.value] <= one["high"] else "outside")
        else:
            sides.add("above" if one["low"] > high else "below" if one["high"] < low else "neither")
    if sides - {claim.holds, "neither"}:
        verdict = "refuted"
    else:
        verdict = NOT_MEASURED if not lines else "confirmed" if sides == {claim.holds} else "cannot tell"
    against = f", against {_figures(claim, others)}" if found and others else ""
    return {
        "claim": claim.name,
        "says": claim.says,
        "verdict": verdict,
        "figure": _figures(claim, found) + against,
        "basis": f"{claim.table}.csv",
    }


def _lines(table: pd.DataFrame, where: Mapping[str, str]) -> list[dict[Any, Any]]:
    """Return the lines of a table that have these texts."""
    return table[(table[list(where)] == pd.Series(where)).all(axis=1)].to_dict("records")


def _figures(claim: Claim, found: list[dict[Any, Any]]) -> str:
    """Return the figures of a claim with their intervals."""
    texts = [_figure(claim, one) for one in found]
    if len(found) > _FEW:
        values = [float(one[claim.value]) for one in found]
        texts = [f"{texts[values.index(min(values))]} to {texts[values.index(max(values))]}"]
    return f"{'; '.join(texts)} {claim.unit}" if found else ""


def _figure(claim: Claim, one: Mapping[Any, Any]) -> str:
    names = [one["method"]] if "method" in one and "method" not in claim.where else []
    names += [one[name] for name in ("quantity", "layers") if name in one][:1]
    where = f"{' '.join(names)}: " if names else ""
    return f"{where}{_written(one[claim.value])} ({_written(one['low'])} to {_written(one['high'])})"


def _written(value: float) -> str:
    return three_digits(value) if value >= 0.01 or value == 0.0 else f"{value:.2e}"


def stored(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return how many times as long nested weights take as flat ones, by contender and shape."""
    lines = []
    for (contender, layers), own in rounds.groupby(["contender", "layers"], sort=False):
        ratios = (own["nested_s"] / own["flat_s"]).to_numpy(float)
        found = median_interval(ratios)
        lines.append((contender, layers, len(ratios), float(np.median(ratios)), found.low, found.high))
    lines.sort(key=lambda line: Shape.parse(str(line[1])).size)
    return pd.DataFrame(lines, columns=["contender", "layers", "rounds", "ratio", "low", "high"])


def printed(article: Article, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return the losses that the article prints, and between which 95% of those with our seeds are."""
    lines = []
    for run in article.run:
        own = seeds[seeds["run"] == run.name]
        for name, published in (("initial loss", run.initial_loss), ("final loss", run.final_loss)):
            if len(own):
                low, high = np.quantile(own[name.replace(" ", "_")].to_numpy(float), [0.025, 0.975])
                lines.append((run.name, name, published, low, high, len(own)))
    return pd.DataFrame(lines, columns=["run", "quantity", "published", "low", "high", "seeds"])


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
    return pd.DataFrame(lines, columns=["contender", "method", *(f"{part}_s" for part in PARTS), "whole_s"])


def read(path: Path) -> pd.DataFrame:
    """Return one of the FILES, without a line if there is none; raise ResultsError for any other file."""
    columns = FILES[path.name]
    texts = {*COLUMNS, "contender", "layers", "run", "method", "what"}.intersection(columns)
    return read_csv(path, columns, "make article", texts=texts, blank=["figure"])
