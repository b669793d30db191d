"""The tables of several sweeps, and of what other commands measure beside one."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from harness.across.predictions import hits as hits_of
from harness.analysis.article import PARTS
from harness.analysis.frames import only
from harness.case import example
from harness.digits import duration, times
from harness.report.tables import LANE, WHO
from harness.table import (
    Cell,
    Column,
    Line,
    Table,
    above_one,
    estimate,
    factor,
    number,
    percent,
    permille,
    prose,
    seconds,
    share,
    three,
    two,
    whole,
    words,
)

_MOST_MACHINES = 8


def sweeps(overviews: Iterable[Line]) -> Table:
    """Return a row for each sweep."""
    columns = {
        "sweep": words("sweep"),
        "host": prose("host"),
        "commit": words("commit"),
        "cases": whole("cases"),
        "runs": words("runs"),
        "failed": whole("failed"),
        "who": prose("who"),
    }
    lines = []
    for one in overviews:
        names = list(one["contenders"])
        if len(names) > 3:
            names = [f"{', '.join(names[:2])} and {len(names) - 2} others"]
        lines.append({**one, "who": ", ".join(names)})
    return Table("sweeps", "Sweeps", columns, lines)


def selfcheck(shares: pd.DataFrame) -> Table:
    """Return a row for each contender and measure."""
    columns = {
        "contender": prose("contender"),
        "against": prose("reference"),
        "measure": words("measure"),
        "true": factor("true_ratio"),
        "half width": permille("half_width"),
        "sharpness": two("sharpness"),
        "right": share("contains", "sweeps"),
        "95% of right": replace(percent("contains_low", "contains_high"), is_wide=True),
        "seen": share("seen", "sweeps"),
        "95% of seen": replace(percent("seen_low", "seen_high"), is_wide=True),
    }
    caption = "Sweeps whose interval contains the true ratio, and that see a difference"
    return Table("selfcheck", caption, columns, shares.to_dict("records"), keys=1)


def comparison(table: pd.DataFrame, what: str) -> Table:
    """Return a row for each case, contender and measure; ``what`` says what is compared with what."""
    columns = dict(LANE)
    if table["measure"].nunique() > 1:
        columns["measure"] = words("measure")
    if table["before"].notna().any():
        for side in ("before", "after"):
            columns[side] = estimate(times, side, f"{side}_low", f"{side}_high")
    columns |= {
        "change": estimate(times, "change", "low", "high", "verdict"),
        "verdict": words("verdict", wide=True),
    }
    return Table("comparison", f"Times as fast: {what}", columns, table.to_dict("records"), keys=2)


def machines(joined: pd.DataFrame) -> Table:
    """Return a row for each contender on each machine; of more than eight machines at one shape."""
    lines = only(joined[joined["counts"] != "reference"], measure="training")
    where = ""
    if lines["machine"].nunique() > _MOST_MACHINES:
        shape = example(lines["layers"])
        lines, where = only(lines, layers=shape), f" at {shape}"
    columns = {
        **LANE,
        "machine": prose("machine"),
        "training": estimate(times, "ratio", "low", "high", "verdict", none="-"),
        "step": seconds("step_s"),
        "floor": factor("floor"),
        "counts": words("counts"),
    }
    caption = f"Times as fast as the reference in training{where}, by machine"
    return Table("machines", caption, columns, lines.to_dict("records"), keys=3)


def pooled(summed: pd.DataFrame) -> Table:
    """Return a row for each contender on each case."""
    columns = {
        **LANE,
        "machines": whole("machines"),
        "mean": factor("ratio"),
        "95% interval": number("low", "high"),
        "spread": three("spread"),
        "from": factor("least"),
        "to": factor("most"),
    }
    lines = only(summed, measure="training").to_dict("records")
    return Table("pooled", "All machines together, training", columns, lines)


def predictions(table: pd.DataFrame) -> Table:
    """Return a row for each prediction for one shape."""
    columns = {
        **WHO,
        "training": seconds("training_s"),
        "95% interval": seconds("training_low", "training_high"),
        "job": seconds("job_s"),
        "speedup": factor("speedup"),
        "beyond": above_one("beyond"),
    }
    about = table.iloc[0]
    caption = f"Predicted for {about['layers']}, {about['samples']} samples, {about['epochs']} epochs"
    return Table("predictions", caption, columns, table.to_dict("records"))


def checks(table: pd.DataFrame) -> Table:
    """Return a row for each prediction, with what was measured."""
    columns = {
        **LANE,
        "predicted": estimate(duration, "step_s", "step_low", "step_high"),
        "measured": seconds("measured_step_s"),
        "ratio": number("ratio"),
        "held": words("held"),
        "beyond": above_one("beyond"),
    }
    lines = [
        {**one, "held": Cell(one["hit"] or "not checked", is_bad=one["hit"] == "no")}
        for one in table.to_dict("records")
    ]
    caption = "Every prediction: time of a training step, as predicted and as measured"
    return Table("checks", caption, columns, lines, keys=2)


def hits(table: pd.DataFrame) -> Table:
    """Return a row for each contender and method."""
    columns = {
        "contender": prose("contender"),
        "method": words("method"),
        "checks": whole("checks"),
        "hits": whole("hits"),
        "95% interval": percent("low", "high"),
        "median error": permille("median_error"),
        "farthest": factor("farthest"),
    }
    caption = "How often the 95% interval of a prediction contained what was measured"
    return Table("hits", caption, columns, hits_of(table).to_dict("records"))


def claims(table: pd.DataFrame) -> Table:
    """Return a row for each claim."""
    columns = {
        "the article": prose("says"),
        "verdict": words("verdict"),
        "measured (95% interval)": prose("figure"),
        "from": words("basis", wide=True),
    }
    return Table("claims", "What the article says, and what was measured", columns, table.to_dict("records"))


def _part(part: str) -> Column:
    return Column(
        lambda part_s, _, noise: (duration(part_s) if part_s else "0") + "?" * (part in noise),
        (f"{part}_s", "whole_s", "noise"),
        short=lambda part_s, whole_s, noise: f"{part_s / whole_s:.0%}" + "?" * (part in noise),
    )


def parts(table: pd.DataFrame) -> Table:
    """Return a row for each contender and method."""
    columns = {**WHO, "whole": seconds("whole_s")}
    if table["computed_s"].notna().any():
        columns["computed"] = Column(
            lambda computed_s, whole_s: f"{duration(computed_s)} ({computed_s / whole_s - 1.0:+.1%})",
            ("computed_s", "whole_s"),
            short=lambda computed_s, whole_s: f"{computed_s / whole_s - 1.0:+.1%}",
        )
    columns |= {part: _part(part) for part in PARTS}
    caption = (
        "Where the time of the article's run goes; ?: no more than noise; computed: by the sweep, for the job"
    )
    return Table("parts", caption, columns, table.to_dict("records"))


def kernels(table: pd.DataFrame) -> Table:
    """Return a row for each kernel and shape."""
    columns = {
        "by": words("contender"),
        "kernel": prose("kernel"),
        "shape": prose("layers"),
        "median": seconds("median_s"),
        "times as fast as": Column(
            lambda ratio, than: f"{times(ratio)} {than}",
            ("times_as_fast", "against"),
            short=lambda ratio, _: times(ratio),
        ),
        "ns per parameter": two("ns_per_parameter"),
        "of peak": percent("share_of_peak"),
    }
    lines = table.to_dict("records")
    return Table("kernels", "One call of each kernel, in process", columns, lines, is_grouped=True)
