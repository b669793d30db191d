"""The article's claims beside what was measured, and where the time of its run goes. Pure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.frames import only, read_csv
from harness.analysis.intervals import median_interval
from harness.analysis.results import Results
from harness.case import ARTICLE, ARTICLE_JOB, Shape
from harness.claims import Article, Claim
from harness.digits import three_digits
from harness.errors import NothingMeasured

COLUMNS = ["claim", "says", "verdict", "figure", "basis"]
STORAGE = ["contender", "layers", "round", "flat_s", "nested_s"]
SEEDS = ["run", "seed", "contender", "initial_loss", "final_loss"]
PART_RUNS = ["contender", "method", "what", "round", "wall_s", "training_s", "compile_s"]
FILES = {"claims.csv": COLUMNS, "seeds.csv": SEEDS, "storage.csv": STORAGE, "parts.csv": PART_RUNS}
"""The tables that `make article` writes: their columns."""
PARTS = ("start-up", "data", "compiling", "training", "end")
_DIFFERENCES = ("data", "end")
"""What one run takes more than another, perhaps nothing."""
_RUNS = ("whole", "one sample", "no epoch")
_FIGURES = {
    "scaling": ("exponent", "exponent"),
    "speedup": ("ratio", "times as fast"),
    "storage": ("ratio", "times as fast"),
    "seeds": ("published", "printed (the middle 95% of 200 seeds)"),
}
"""The column of a table's figure, and what it counts."""
_FEW = 3
"""The most figures that are all given."""
_WHERE = {"method": "by", "layers": "at", "quantity": "as the"}
"""What distinguishes figures of a claim: columns, and the word before each."""


def judged(article: Article, results: Results, storage: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each claim: its verdict and figures; ``storage`` and ``seeds`` are of the FILES."""
    tables = {
        "scaling": results.exponents,
        "speedup": results.rivals,
        "storage": stored(storage),
        "seeds": printed(article, seeds),
    }
    lines = []
    for claim in article.claim:
        own = only(tables[claim.table], **claim.where)
        others = only(tables[claim.table], **{**claim.where, **claim.than}) if claim.than else own[:0]
        found = own.dropna(subset=["low", "high"])
        verdict = _verdict(claim, found, others) if len(own) else "not measured"
        figures = [_figures(claim, some) for some in (found, others) if len(found) and len(some)]
        text = f"{_FIGURES[claim.table][1]}: {', against '.join(figures)}" if figures else ""
        lines.append((claim.name, claim.says, verdict, text, f"{claim.table}.csv"))
    return pd.DataFrame(lines, columns=COLUMNS)


def _verdict(claim: Claim, found: pd.DataFrame, others: pd.DataFrame) -> str:
    if claim.holds == "inside":
        right = found[_FIGURES[claim.table][0]].between(found["low"], found["high"])
        wrong = ~right
    else:
        limits = pd.DataFrame({"low": claim.limit, "high": claim.limit}, index=found.index)
        if claim.than:
            # Exponents can be compared over the same sizes only.
            same = [name for name in ("method", "points", "most_neurons") if name in found]
            limits = found[same].join(others.set_index(same)[["low", "high"]], on=same)
        above, below = found["low"] > limits["high"], found["high"] < limits["low"]
        right, wrong = (above, below) if claim.holds == "above" else (below, above)
    if wrong.any():
        return "refuted"
    return "confirmed" if right.any() and right.all() else "cannot tell"


def _figures(claim: Claim, found: pd.DataFrame) -> str:
    # Of many, the least and the largest.
    value, _ = _FIGURES[claim.table]
    few = len(found) <= _FEW
    chosen = found if few else found.loc[[found[value].idxmin(), found[value].idxmax()]]
    texts = []
    for one in chosen.to_dict("records"):
        where = [f" {word} {one[name]}" for name, word in _WHERE.items() if name in {*one} - {*claim.where}]
        ends = (one[name] for name in (value, "low", "high"))
        middle, low, high = (f"{end:.2e}" if 0.0 != end < 0.01 else three_digits(end) for end in ends)
        texts.append(f"{middle} ({low} to {high}){''.join(where)}")
    return ("; " if few else " to ").join(texts)


def stored(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return how many times as long nested weights take as flat, by contender and shape."""
    lines = []
    for (contender, layers), own in rounds.groupby(["contender", "layers"], sort=False):
        ratios = own["nested_s"] / own["flat_s"]
        low, high, *_ = median_interval(ratios.to_numpy(float))
        lines.append((contender, layers, len(ratios), ratios.median(), low, high))
    lines.sort(key=lambda line: Shape.parse(str(line[1])).size)
    return pd.DataFrame(lines, columns=["contender", "layers", "rounds", "ratio", "low", "high"])


def printed(article: Article, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return the losses that the article prints, and between which 95% of ours are."""
    lines = []
    for run in article.run:
        own = only(seeds, run=run.name)
        for name in ("initial_loss", "final_loss") if len(own) else ():
            low, high = np.quantile(own[name].to_numpy(float), [0.025, 0.975])
            lines.append((run.name, name.replace("_", " "), getattr(run, name), low, high, len(own)))
    return pd.DataFrame(lines, columns=["run", "quantity", "published", "low", "high", "seeds"])


def parts(runs: pd.DataFrame, results: Results | None = None) -> pd.DataFrame:
    """Return the median seconds of each part of the article's run, by contender and method.

    Start-up is a run of one sample and no epoch. Data, with the targets and the first loss, is what a
    hundred samples take more. Training is by the program's own clock: steps, losses and printing. The end is
    what is left. ``noise`` names the parts whose interval contains 0.

    ``computed_s`` are the seconds that ``results`` find for the job, otherwise nan. Raises NothingMeasured if
    no contender has ended all three runs.
    """
    lane = ["contender", "method", "round"]
    whole, start, bare = (only(runs, what=what).set_index(lane) for what in _RUNS)
    start_s = start["wall_s"] - start["compile_s"]
    data_s = bare["wall_s"] - bare["compile_s"] - start_s
    seconds = {
        "start-up": start_s,
        "data": data_s,
        "compiling": whole["compile_s"],
        "training": whole["training_s"],
        "end": whole["wall_s"] - start_s - data_s - whole["compile_s"] - whole["training_s"],
        "whole": whole["wall_s"],
    }
    jobs: dict[Any, float] = {}
    if results is not None and results.job == ARTICLE_JOB:
        own = only(results.summary, measure="job_s", layers=str(ARTICLE))
        jobs = own.set_index(["contender", "method"])["median"].to_dict()
    lines = []
    for of, own in pd.DataFrame(seconds).dropna().groupby(["contender", "method"], sort=False):
        noise = [part for part in _DIFFERENCES if not median_interval(own[part].to_numpy()).low > 0.0]
        found = {part: max(0.0, float(own[part].median())) for part in seconds}
        known_s = sum(found[part] for part in PARTS[:-1])
        found |= {"end": max(0.0, found["whole"] - known_s), "whole": max(found["whole"], known_s)}
        about = {"contender": of[0], "method": of[1], "noise": noise, "computed_s": jobs.get(of)}
        lines.append({**about, **{f"{part}_s": part_s for part, part_s in found.items()}})
    if not lines:
        raise NothingMeasured("no contender has ended all three runs, so there is nothing to show")
    return pd.DataFrame(lines)


def read(path: Path) -> pd.DataFrame:
    """Return one of the FILES, without a line if there is none; raise ResultsError for any other file."""
    texts = {*COLUMNS, "contender", "layers", "run", "method", "what"}.intersection(FILES[path.name])
    return read_csv(path, FILES[path.name], "make article", texts=texts, blank=["figure"])
