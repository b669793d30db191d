"""The tables of a sweep, each defined once for the terminal, the documents and the page."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from harness.analysis.frames import only
from harness.analysis.job import WARM
from harness.analysis.results import LEFT_OUT, Results
from harness.case import METHODS, Shape
from harness.digits import MARKS, duration, three_digits, times
from harness.parity import IDENTICAL, REFERENCE, UP_TO
from harness.report import sentences
from harness.rows import WITH_LOSSES
from harness.table import Cell, Column, Line, Table, estimate, prose, seconds, three, two, whole, words

LANE = {"method": words("method"), "shape": prose("layers"), "contender": prose("contender")}
WHO = {"method": words("method"), "contender": prose("contender")}
_RATIOS = ("training", "job")


def shown(results: Results) -> Iterator[Table | str]:
    """Yield all that a terminal shows of a sweep, the answer last."""
    yield sentences.unfinished(results)
    names = results.contenders
    # A row for each case takes fewer lines; it has room for two contenders.
    is_pair = len(names) == 2 and max(map(len, names)) <= 12
    yield by_case(results) if is_pair else outcomes(results)
    yield sentences.marks_of(results)
    yield sentences.not_measured(results.outcomes)
    yield from sentences.layouts(results)
    yield from instead(results)
    yield exponents(results)
    yield from sentences.overtakings(results.crossovers)
    yield from sentences.answer(results)


def outcomes(results: Results) -> Table:
    """Return a row for each contender on each case, except cases left out for all."""
    columns = {**LANE, "step": Column(_step, ("step_s", "warming"))}
    for measure in _RATIOS:
        fields = (f"{measure}_{name}" for name in ("ratio", "low", "high", "verdict"))
        columns[measure] = estimate(times, *fields)
    columns["same losses"] = prose("losses")
    caption = (
        f"Time of a training step; times as fast as {results.reference}, in training and for a whole job"
        f" ({results.job.in_words}), with 95% intervals"
    )
    became = results.standings
    is_asked = became["status"].ne(LEFT_OUT).groupby([became["method"], became["layers"]]).transform("any")
    lines = [{**one, "losses": _losses(one)} for one in became[is_asked].to_dict("records")]
    return Table("outcomes", caption, columns, lines, keys=2, is_grouped=True)


def _step(seconds: float, warming: str) -> str:
    """Write a time, with a mark if the contender warms up."""
    return duration(seconds) + (sentences.WARMED if warming == WARM else MARKS.get(warming, ""))


def _losses(one: Line) -> Cell:
    """Return what became of the losses, or why there are none."""
    text, differing, count = str(one["status"]), one["differing"], one["with_losses"]
    if text in (*WITH_LOSSES, one["failure"]):
        some = "differ" if differing == count else f"{differing} of {count} differ"
        text = ", ".join(filter(None, [some if differing else _alike(one["parity"]), one["failure"]]))
    return Cell(text, is_bad=bool(one["status"] != "ok" or differing or one["failure"]))


def _alike(parity: str) -> str:
    """Return in how many epochs losses were compared, and within what they agree."""
    words, _, last = parity.replace(" of the initial loss", "").partition(UP_TO)
    epochs = "all epochs" if not last else "1 epoch" if last == "1" else f"{last} epochs"
    return epochs if words == IDENTICAL else f"{words}, {epochs}" if last else words


def by_case(results: Results) -> Table:
    """Return a row for each case: what ``outcomes`` has in several."""
    found = outcomes(results)
    rivals = (name for name in results.contenders if name != results.reference)
    heads = *results.contenders, *(f"{name}, {measure}" for name in rivals for measure in _RATIOS)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found.lines:
        case, name = {"method": one["method"], "layers": one["layers"]}, one["contender"]
        row = rows.setdefault((one["method"], one["layers"]), {**case, "losses": {}})
        row[name] = found.columns["step"].cell(one)
        row["losses"][name] = one["losses"]
        for measure in _RATIOS:
            cell = found.columns[measure].cell(one)
            is_told = cell.text or one["status"] in ("ok", LEFT_OUT)
            row[f"{name}, {measure}"] = cell if is_told else Cell(one["status"])
    columns = {
        "method": words("method"),
        "shape": words("layers"),
        **{head: words(head) for head in heads},
        "same losses": prose("losses"),
    }
    lines = [{**row, "losses": _together(row["losses"])} for row in rows.values()]
    return Table("cases", found.caption, columns, lines, is_grouped=True)


def _together(losses: Mapping[str, Cell]) -> Cell:
    """Return who has other losses, or fewer; if nobody, in how many epochs."""
    texts = {name: cell.text for name, cell in losses.items() if cell.text != REFERENCE}
    others = [f"{name} {text}" for name, text in texts.items() if text != "all epochs"]
    text = ", ".join(others) or ("all epochs" if texts else "")
    return Cell(text, is_bad=any(cell.is_bad for cell in losses.values()))


def speedups(results: Results, method: str) -> Table:
    """Return a row for each shape that was run by a method."""
    found = by_case(results)
    _, *heads, _ = found.columns
    caption = f"{method}: {found.caption[0].lower()}{found.caption[1:]}"
    lines = [line for line in found.lines if line["method"] == method]
    return Table(f"speedup-{method}", caption, {head: found.columns[head] for head in heads}, lines)


def methods(results: Results) -> Table:
    """Return a row for each shape."""
    rows: dict[str, dict[str, Any]] = {}
    for one in results.medians.to_dict("records"):
        text = _step(one["median"], one["warming"]) + ("" if one["status"] == "ok" else " (other losses)")
        row = rows.setdefault(one["layers"], {"layers": one["layers"]})
        row[f"{one['contender']} {one['method']}"] = Cell(text, one["median"])
    heads = (f"{name} {method}" for name in results.contenders for method in METHODS)
    found = {head: words(head) for head in heads if any(head in row for row in rows.values())}
    caption = "Time of a training step by contender and method (median)"
    lines = sorted(rows.values(), key=lambda row: Shape.parse(row["layers"]).size)
    return Table("methods", caption, {"shape": words("layers"), **found}, lines)


def instead(results: Results) -> Iterator[Table]:
    """Yield for each method a row for each alternative, the fastest first."""
    for method, own in results.thresholds.groupby("method", sort=False):
        lines = only(results.alternatives, method=method)
        name, shapes = lines["fastest"].iloc[0], lines.dropna(subset="times_as_long")["layers"].unique()
        rows = {
            one["contender"]: {**one, "compile_s": one["compile_s"] or None, "losses": "identical"}
            for one in own.to_dict("records")
        }
        for one in lines.to_dict("records"):
            row, factor = rows[one["contender"]], one["times_as_long"]
            mark = MARKS.get(one["verdict"], "") + (sentences.WARMED if one["warming"] == WARM else "")
            cell = Cell("") if math.isnan(factor) else Cell(three_digits(factor) + mark, factor)
            row |= {one["layers"]: cell, "last": factor}
            if not one["parity"].startswith((IDENTICAL, REFERENCE)):
                row["losses"] = "agree" if one["parity"].startswith("within") else "differ"
        columns = {
            f"times {name}'s step": prose("contender"),
            **{shape: words(shape, wide=shape != shapes[-1]) for shape in shapes},
            "start-up": seconds("startup_s"),
            "compiling": seconds("compile_s"),
            f"beats {results.reference} from": whole("beats_from"),
            f"ties with {name} from": whole("ties_from"),
            "pays from": whole("pays_from"),
            "losses": words("losses"),
        }
        if not any(row["compile_s"] for row in rows.values()):
            del columns["compiling"]
        if name == results.reference:
            # No contender can be ahead of the one and behind the other.
            del columns[f"beats {name} from"], columns["pays from"]
        caption = (
            f"Alternatives to {name}, {method}: how many times as long a training step takes, and from how"
            " many neurons on each is worth it"
        )
        ordered = sorted(rows.values(), key=lambda row: float(row["last"]))
        yield Table(f"instead-{method}", caption, columns, ordered)


def exponents(results: Results) -> Table:
    """Return a row for each contender and method."""
    columns = {
        **WHO,
        "power": two("exponent"),
        "95% interval": two("low", "high"),
        "by count": two("counted_exponent"),
        "neurons": whole("fewest_neurons", "most_neurons"),
        "straight from": whole("straight_from_neurons", none="nowhere"),
    }
    caption = "The time of a training step grows as neurons to the power of"
    return Table("exponents", caption, columns, results.exponents.to_dict("records"), keys=1)


def floors(results: Results) -> Table:
    """Return a row for each control."""
    own = only(results.speedups, control=True)
    own = own[own["rounds"] > 1]
    rows = own.pivot_table("floor", ["method", "layers", "contender"], "measure", sort=False).reset_index()
    columns = {**LANE, "training": three("training"), "job": three("job")}
    caption = "The floor: a contender against itself is within this factor of 1; less counts as no difference"
    return Table("floors", caption, columns, rows.to_dict("records"))


def troubles(results: Results) -> Table:
    """Return a row for each contender on a case that failed, had other losses or was not run."""
    became = results.outcomes
    wrong = ~became["status"].isin(["ok", LEFT_OUT]) | (became["differing"] > 0) | (became["failure"] != "")
    lines = []
    for one in became[wrong].to_dict("records"):
        name = f"{one['contender']} (control)" if one["control"] else one["contender"]
        what = one["failure"] or ("mismatch" if one["differing"] else one["status"])
        said = one["error"] or (one["parity"] if one["differing"] else "")
        lines.append({**one, "contender": name, "what": what, "said": said})
    columns = {**LANE, "what": words("what"), "what it said": prose("said")}
    caption = "What failed, had other losses or was not run; none of these is in a ratio"
    return Table("troubles", caption, columns, lines)


def left_out(results: Results) -> Table:
    """Return a row for each thing that the plan left out."""
    lines = [asdict(one) | {"shape": one.shape} for one in results.plan.left_out]
    columns = {head: words(head) for head in ("method", "shape")}
    columns |= {"contender": words("contender", none="all"), "why": prose("reason")}
    return Table("left-out", "What was asked for and did not fit", columns, lines)


_LABELS = {
    "cpu": "processor",
    "governor": "CPU governor",
    "load_1min": "load of the minute before",
    "memory_bytes": "memory",
    "host": "name",
    "python": "Python of the harness",
    "python_compiler": "compiled by",
    "python_build_options": "configured with",
}
_OF_PROGRAMS = ("contenders", "missing")


def environment(results: Results) -> Table:
    """Return a row for each thing that is known of the machine."""
    known = {"sweep": results.sweep, **results.environment}
    lines = [
        {"what": _LABELS.get(name, name.replace("_", " ")), "value": _known(name, value)}
        for name, value in known.items()
        if name not in _OF_PROGRAMS
    ]
    columns = {"what": words("what"), "value": prose("value")}
    return Table("environment", "The machine and the system", columns, lines)


def _known(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = "; ".join(f"{key}: {text}" for key, text in value.items())
    if isinstance(value, int) and name.endswith("_bytes"):
        return f"{value / 2**30:.1f} GiB"
    return "not known" if value is None else str(value) or "none"


def programs(results: Results) -> Table:
    """Return a row for each contender, skipped ones included."""
    versions = results.runs.drop_duplicates("contender", keep="last").set_index("contender")["version"]
    known, missing = (results.environment.get(name, {}) for name in _OF_PROGRAMS)
    lines = [
        {"version": versions.get(name), **known.get(name, {}), "contender": name}
        for name in results.contenders
    ]
    lines += [{"contender": name, "version": f"skipped: {reason}"} for name, reason in missing.items()]
    columns = {
        **{head: words(head) for head in ("contender", "version", "command")},
        "built by": words("build"),
        "toolchain": Column(lambda text: str(text).partition("\n")[0], ("toolchain",)),
    }
    return Table("programs", "The programs", columns, lines)
