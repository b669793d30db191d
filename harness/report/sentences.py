"""What a sweep says, in sentences. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.across import selfcheck as found
from harness.across.comparison import mean
from harness.across.machines import other_losses
from harness.across.predictions import median_error
from harness.analysis.frames import LANE, only
from harness.analysis.intervals import NOISY, share_interval
from harness.analysis.job import STILL_WARMING, WARM
from harness.analysis.results import LEFT_OUT, Results
from harness.archive import SWEEPS
from harness.case import ARTICLE, ARTICLE_JOB, ARTICLE_RUN, example
from harness.digits import MARKS, MEANINGS, between, duration, plus_minus, three_digits, times
from harness.parity import UP_TO
from harness.rows import FAILED


def rivals(results: Results) -> Iterator[str]:
    """Yield how many times as fast as the reference each rival is, the fastest first."""
    lines, reference = only(results.standings, layers=results.shape), results.reference
    lines = lines[lines["training_verdict"] != ""].drop_duplicates("contender")
    for one in lines.sort_values("training_ratio", ascending=False, kind="stable").to_dict("records"):
        name, where, verdict = one["contender"], f"{one['layers']} ({one['method']})", one["training_verdict"]
        if np.isnan(one["training_ratio"]):
            statuses = results.standings.set_index(LANE)["status"]
            status = statuses.get((one["method"], one["layers"], reference), "ok")
            reason = _REASONS.get(verdict, verdict) if status == "ok" else f"{reference}: {status}"
            yield f"{name} cannot be compared with {reference} at {where}: {reason}."
        else:
            training = _times_as_fast(one, "training", f"as fast as {reference}", "95% interval ")
            yield f"{name} trains {where} {training}; {_job(results, one)}."
    if lines.empty:
        own = only(results.medians, layers=results.shape).iloc[0]
        where, step = f"{results.shape} ({own['method']})", duration(own["median"])
        yield f"{own['contender']} trains {where} in {step} a step; there is nothing to compare it with."


def _job(results: Results, one: Mapping[Any, Any]) -> str:
    """Say how long a rival's job takes, and the reference's."""
    jobs = only(results.summary, measure="job_s").set_index(LANE)["median"]
    case = one["method"], one["layers"]
    own, other = (duration(jobs[*case, name]) for name in (one["contender"], results.reference))
    is_article = (results.job, *case) == (ARTICLE_JOB, ARTICLE_RUN.method, str(ARTICLE))
    run = "the article's whole run" if is_article else f"a whole run of {results.job.in_words}"
    return f"{run} takes {own} against {other}, {_times_as_fast(one, 'job', 'as fast')}"


_REASONS = {
    "mismatch": "its losses differ",
    "cannot tell": "there is no round in which both have the right losses",
}


def _times_as_fast(one: Mapping[Any, Any], measure: str, than: str, label: str = "") -> str:
    """Write a ratio in words, with its interval or why there is none, and any doubt."""
    ratio, low, high, verdict = (one[f"{measure}_{name}"] for name in ("ratio", "low", "high", "verdict"))
    text = f"{three_digits(ratio)} times {than}"
    if np.isnan(low):
        return f"{text} (one round, so no interval)"
    doubt = f", {MEANINGS[verdict]}" if verdict in MEANINGS else ""
    return f"{text} ({label}{between(low, high)}{doubt})"


def unfinished(results: Results) -> str:
    """Say how many runs of the plan are made; '' if all are."""
    made, left = results.plan.runs - results.left, results.left
    return f"unfinished: {made} of {results.plan.runs} runs" if left else ""


def marks(verdicts: Iterable[str]) -> str:
    """Explain the marks of these verdicts; '' if they have none."""
    seen = set(verdicts)
    return "; ".join(f"{mark} {MEANINGS[verdict]}" for verdict, mark in MARKS.items() if verdict in seen)


def marks_of(results: Results) -> str:
    """Explain the marks in a sweep's tables; '' if there are none."""
    words = [*compared(results)["verdict"], *results.alternatives["verdict"], *results.medians["warming"]]
    warms = f"{WARMED} becomes faster while it runs: the step at the end of its job, which is what it runs"
    return "; ".join(filter(None, [marks(words), warms if WARM in words else ""]))


WARMED = "*"
"""Marks a step of a contender that warms up."""


def layouts(results: Results) -> Iterator[str]:
    """Yield by how much the links of a contender differ in a training step."""
    runs = only(results.runs, warm_up=False, status="ok")
    for contender, own in runs[runs["layout"] > 0].groupby("contender", sort=False):
        steps = own.groupby(["method", "layers", "layout"], sort=False)["step_s"].median()
        ends = steps.groupby(["method", "layers"], sort=False).agg(["min", "max"])
        apart = (ends["max"] / ends["min"]).sort_values()
        yield (
            f"layout: {own['layout'].nunique()} links of {contender}, each with its code in another order,"
            f" differ in a training step by a factor of {apart.iloc[0]:.3f} ({' '.join(apart.index[0])}) to"
            f" {apart.iloc[-1]:.3f} ({' '.join(apart.index[-1])}), noise included"
        )


def compared(results: Results) -> pd.DataFrame:
    """Return the lines of rivals that have a ratio."""
    return results.rivals[results.rivals["rounds"] > 0]


def answer(results: Results) -> tuple[str, ...]:
    """Return a sentence for each rival, then what they rest on, and what to do next."""
    plot = "make plot" if results.path.parent.name == SWEEPS else f"make plot ARGS={results.path}"
    rest = evidence(results), *_sharper(results), f"Tables: {results.path}; pictures: {plot}"
    return *rivals(results), " ".join(rest)


def rounds(results: Results) -> str:
    """Return how many timed rounds the cases have."""
    counts = results.runs.groupby(["method", "layers"])["round"].max()
    least, most = int(counts.min()), int(counts.max())
    return f"{most} rounds" if least == most else f"{least} to {most} rounds"


def evidence(results: Results) -> str:
    """Say how many runs there were, with what losses, and ``noise``."""
    runs = results.runs[results.runs["status"] != "paused"]
    troubles = []
    for what, statuses in (("had other losses", ("mismatch",)), ("failed", FAILED)):
        counts = runs["contender"][runs["status"].isin(statuses)].value_counts(sort=False)
        if len(counts):
            who = " and ".join(f"{count} of {name}" for name, count in counts.items())
            troubles.append(f"{who} {what}")
    is_exact = not runs["parity"].str.startswith("within").any()
    is_partial = runs["parity"].str.contains(UP_TO, regex=False).any()
    everywhere = " in all epochs that two contenders ran" if is_partial else ""
    same = "with identical losses" if is_exact else "with the same losses within their tolerance"
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    said = f"of which {', '.join(troubles)}" if troubles else f"all {same}{everywhere}"
    return f"{count}, {said}. {noise(results)}"


def noise(results: Results) -> str:
    """Say how quiet the machine was, and what would help if it was not."""
    own = _floors(results)
    if own.empty:
        return "There is no control with two rounds, so how quiet the machine was is not known."
    name, floor = own["contender"].iloc[0], own["floor"]
    cpu_s, stolen_s = results.runs[["cpu_s", "stolen_s"]].sum()
    stolen = stolen_s / (cpu_s + stolen_s) if stolen_s else 0.0
    within = f"{floor['training']:.3f} ({floor['job']:.3f} for the job)"
    parts = [f"{name} against itself is within a factor of {within}"]
    if stolen >= _MUCH_STOLEN:
        parts.append(f"{stolen:.0%} of the CPU time that the programs asked for went to other machines")
    if (word := _word(own)) != "quiet":
        quieter = "try a quieter hour, or a machine of its own"
        parts.append(quieter if stolen >= _MUCH_STOLEN else "close other programs, or raise --budget")
    return f"The machine was {word}: {'; '.join(parts)}."


def _floors(results: Results) -> pd.DataFrame:
    """Return the lines of the control that tells how quiet the machine was, by measure."""
    lines, method = results.speedups, only(results.medians, layers=results.shape)["method"].iloc[0]
    own = only(lines[lines["floor_layers"] == lines["layers"]], control=True, method=method)
    # Preferably at the shape that sentences are about.
    own = own.sort_values("layers", key=lambda texts: texts != results.shape, kind="stable")
    return own.drop_duplicates("measure").set_index("measure")


def _word(floors: pd.DataFrame) -> str:
    return next(word for most, word in _NOISES if floors["floor"].max() <= most)


def _sharper(results: Results) -> Iterator[str]:
    """Yield which budget would narrow the widest ratio in training."""
    floors = _floors(results)
    if floors.empty or _word(floors) != "quiet":
        return
    lines = only(compared(results), measure="training").dropna(subset="low")
    lines = lines[lines["verdict"] != STILL_WARMING]
    half_widths = np.log(lines["high"] / lines["low"]) / 2.0
    times_too_wide = half_widths.max() / np.log1p(_PRECISION)
    # Between links of a program rounds tell nothing.
    if times_too_wide > 1.0 and not results.runs["layout"].any():
        one = lines.iloc[half_widths.argmax()]
        widest = "{contender} at {layers} ({method})".format_map(one)
        # Half widths fall as the square root of the rounds.
        budget_s = results.plan.estimate_s * times_too_wide**2
        yield (
            f"--precision {_PRECISION:.0%} --budget {float(f'{budget_s:.2g}'):.0f} would narrow the widest"
            f" ratio, that of {widest}, from {plus_minus(one['low'], one['high'])}."
        )


_PRECISION = 0.02
_NOISES = ((1.05, "quiet"), (NOISY, "noisy"), (np.inf, "very noisy"))
"""The factor of 1 that a control's interval may reach, and what that is called."""
_MUCH_STOLEN = 0.01


def not_measured(outcomes: pd.DataFrame) -> str:
    """Name the cases that were left out for all contenders; '' if there are none."""
    cases = [outcomes["method"], outcomes["layers"]]
    is_out = outcomes["status"].eq(LEFT_OUT).groupby(cases, sort=False).all()
    shapes = is_out[is_out].reset_index().groupby("method", sort=False)["layers"].agg(", ".join)
    said = "; ".join(f"{method} at {own}" for method, own in shapes.items())
    return said and f"left out: {said}"


def overtakings(table: pd.DataFrame) -> list[str]:
    """Return which contender overtakes which, a sentence for each pair."""
    said = []
    pairs = ["contender", "method", "than_contender", "than_method"]
    for (contender, method, other, worse), own in table.groupby(pairs, sort=False):
        who, whom = f"{contender} with {method}", f"{other} with {worse}"
        kinds = own.set_index("kind").to_dict("index")
        if own["neurons"].isna().all():
            said.append(f"{who} does not overtake {whom} up to {own['most_neurons'].max():.0f} neurons")
        else:
            said.append(
                f"{who} overtakes {whom} {_from_neurons(kinds['training'])} in training,"
                f" {_from_neurons(kinds['job'])} for the whole job"
            )
    return said


def _from_neurons(one: Mapping[Any, Any]) -> str:
    if np.isnan(one["neurons"]):
        return f"not up to {one['most_neurons']:.0f} neurons"
    high = "or more" if np.isnan(one["high"]) else f"to {one['high']:.0f}"
    return f"at {one['neurons']:.0f} neurons ({one['low']:.0f} {high})"


def selfcheck(table: pd.DataFrame) -> str:
    """Say how often intervals are right, how sharp they are, and what differences are seen."""
    last, is_copy = table.iloc[-1], table["extra_epochs"].notna()
    alarms, comparisons = found.false_alarms(table)
    parts = [
        f"On {last['machine']}{', disturbed by other work' if last['storm'] else ''},"
        f" {_right(table[is_copy])} contained the true ratio in all intervals of copies of a program, which"
        " is known"
    ]
    for (name, other), own in table[~is_copy].groupby(["contender", "reference"], sort=False):
        what = f"that of {name} against {other}, taken to be the median of all sweeps"
        parts.append(f"{_right(own)} contained {what}")
    sharp = " and ".join(
        f"{found.sharpness(own):.2f} ({measure})" for measure, own in table.groupby("measure", sort=False)
    )
    parts.append(f"the 95th percentile of error / half width is {sharp}, where 1 is as narrow as can be")
    there = "was 1 false alarm" if alarms == 1 else f"were {alarms or 'no'} false alarms"
    parts.append(f"there {there} in {comparisons} comparisons of a program with itself, half of them of jobs")
    planted = only(table[table["extra_epochs"] > 0.0], measure="training")
    for extra, own in planted.groupby("extra_epochs"):
        seen = (own["verdict"] == "slower").sum()
        parts.append(f"training that takes {extra:.0%} longer is seen in {seen} of {len(own)} sweeps")
    if count := found.disturbed(table):
        floor = f"the control's floor was beyond {NOISY}, as on a very noisy machine"
        parts.append(f"in {count} of the sweeps {floor}")
    return "; ".join(parts) + "."


def _right(table: pd.DataFrame) -> str:
    count, sweeps = found.right(table)
    low, high = share_interval(count, sweeps)
    return f"{count} of {sweeps} sweeps ({low:.0%} to {high:.0%})"


def beyond(table: pd.DataFrame) -> str:
    """Explain the column of that name; '' if it is empty."""
    if not (table["beyond"] > 1.0).any():
        return ""
    return (
        "beyond: how many times as many multiply-adds as the largest measured shape has, or how many times"
        " fewer than the smallest"
    )


def record(table: pd.DataFrame) -> str:
    """Say how often predictions came true."""
    done = table[table["hit"] != ""]
    if done.empty:
        return "No prediction was checked yet: make predict ARGS=--check"
    count = int((done["hit"] == "yes").sum())
    low, high = share_interval(count, len(done))
    farthest = three_digits(float(done["beyond"].max()))
    return (
        f"Of {len(done)} predictions for shapes that were not measured, {count} came true within their 95%"
        f" interval ({low:.0%} to {high:.0%}); the median error was {median_error(done):.1%}, and the"
        f" farthest had {farthest} times the multiply-adds of the largest measured shape."
    )


def comparison(training: pd.DataFrame, what: str) -> str:
    """Return the answer; ``what`` says what is compared with what."""
    if training.empty:
        return f"Training {what}: no case has rounds in which both have the right losses."
    counts = training["verdict"].value_counts()
    parts = [f"{counts.get(word, 0)} {word}" for word in ("slower", "faster")]
    if "equal" in counts:
        parts.append(f"{counts['equal']} {MEANINGS['equal']}")
    parts.append(f"{counts.get('cannot tell', 0)} inconclusive")
    change, low, high = mean(training)
    worst = training.iloc[training["change"].argmin()]
    return (
        f"Training {what}: of {len(training)} {'case' if len(training) == 1 else 'cases'}"
        f" {', '.join(parts)}; on average {times(change)} as fast ({between(low, high)}), the slowest"
        f" {' '.join(worst[['contender', 'method', 'layers']])} with {times(worst['change'])}"
        f" ({between(worst['low'], worst['high'])})."
    )


def machines(summed: pd.DataFrame) -> Iterator[str]:
    """Yield how many times as fast each contender trains, and on how many machines."""
    training = only(summed, measure="training")
    if training.empty:
        yield "No ratio counts, for the reasons above: nothing can be said about machines in general."
        return
    at_shape = only(training, layers=example(training["layers"]))
    for one in at_shape.drop_duplicates("contender").to_dict("records"):
        ratio, about = three_digits(one["ratio"]), "{contender} trains {layers} ({method})".format_map(one)
        what = f"{about} {ratio} times as fast as {one['reference']}"
        if one["machines"] < 2:
            yield f"{what}, on one machine; that says nothing about others, so there is no interval."
            continue
        spread, interval = one["spread"], between(one["low"], one["high"])
        apart = f"a factor of {spread:.3f}" if spread > 1.0005 else "no more than their own noise"
        yield (
            f"{what} on {one['machines']} machines (95% interval of the mean {interval}; machines differ by"
            f" {apart}, from {times(one['least'])} to {times(one['most'])})."
        )


def alike(unlike: Sequence[str]) -> str:
    """Say whether machines that shared a sweep may be called equal, given how they differ."""
    if not unlike:
        return (
            "The machines may be called equal: on the cases that all have measured, neither ratios nor"
            " steps differ by more than intervals and floors."
        )
    more = f", and {len(unlike) - 1} more" if len(unlike) > 1 else ""
    return f"The machines may not be called equal: {unlike[0]}{more}. Compare within a machine only."


def remarks(machines: Mapping[str, Results]) -> Iterator[str]:
    """Yield which machines are noisy, and which contenders have other losses."""
    for machine, results in machines.items():
        floors = only(results.speedups, control=True)["floor"]
        if (floors > NOISY).any():
            yield f"{machine}: {noise(results)} What is within such a floor is left out of the summary."
        elif floors.isna().all():
            yield f"{machine}: has no control with two rounds, so how quiet it was is not known."
    for text in dict.fromkeys(other_losses(machines).values()):
        yield f"{text}; it is left out of the summary"
