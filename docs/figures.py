"""Writes the figures of a sweep into README.md and docs/, and draws the pictures there anew.

    python -m docs.figures [SWEEP]    a folder, such as docs/sweep; or any other name of a sweep

A document has a place for each, between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is
replaced.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from harness.across import predictions, selfcheck
from harness.analysis import alternatives, article
from harness.analysis.frames import only
from harness.analysis.intervals import share_interval
from harness.analysis.results import Results, understand
from harness.archive import Archive
from harness.case import ARTICLE, Shape
from harness.claims import load
from harness.digits import between, duration, three_digits, times
from harness.paths import RESULTS, ROOT
from harness.records import replace_file
from harness.report import pictures, pictures_across, sentences, style, tables, tables_across
from harness.table import Column, Table, estimate, factor, percent, seconds, words

PICTURES = {
    "scaling.png": pictures.scaling,
    "speedup.png": pictures.speedup,
    "methods.png": pictures.methods,
}
"""Those of a sweep that a document may show."""
CHECKS = ("selfcheck", "storm")
"""The tables of self-checks."""
WIDTH = 120
"""Characters of a line in a document; only a row of a table may have more."""


_VERDICTS = {"cannot tell": "inconclusive"}
"""Verdicts that read otherwise in a sentence."""


def filled(text: str, figures: Mapping[str, str]) -> str:
    """Return ``text`` with every place that ``figures`` names filled anew."""
    for name, figure in figures.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        lines = f"{figure}\n" if figure else ""
        text = place.sub(lambda match, lines=lines: f"{match[1]}{lines}{match[2]}", text)  # type: ignore[misc]
    return text


def figures_of(results: Results, docs: Path) -> dict[str, str]:
    """Return what all places are filled with: from a sweep, and from the tables that lie in ``docs``.

    The places of a sweep begin with the name of its folder.
    """
    in_process, record = pd.read_csv(docs / "kernels.csv"), predictions.read(docs / "predictions.csv")
    raw = (article.read(docs / name) for name in ("storage.csv", "seeds.csv"))
    judged = article.judged(load(), results, *raw)
    own = {
        **of_sweep(results),
        "kernels": programs_and_kernels(results, in_process).markdown,
        "claims": listed(
            f"**{one['says']}**: {_VERDICTS.get(one['verdict'], one['verdict'])}; {one['figure']}"
            for one in judged.to_dict("records")
        ),
        "claims-sentence": claims_sentence(judged),
    }
    return {
        **{f"{results.path.name}-{name}": figure for name, figure in own.items()},
        "kernels": "\n\n".join(f"In {name.title()}:\n\n{own.markdown}" for name, own in kernels(in_process)),
        "predictions": hits(record).markdown,
        "predicted": paragraph(sentences.record(record)),
        "predicted-sentence": predicted_sentence(record),
        **of_checks(docs),
        "two": pauses(docs / "two").markdown,
    }


def of_checks(docs: Path) -> dict[str, str]:
    """Return what the self-checks say, a quiet one and one in a storm."""
    figures = {}
    environment = json.loads((docs / "sweep" / "environment.json").read_text(encoding="utf-8"))
    for name in CHECKS:
        table = selfcheck.read(docs / f"{name}.csv")
        # The README has just named the machine of its sweep.
        cpu = table["machine"].iloc[0].partition(",")[0]
        where = "" if cpu == environment["cpu"] else f" on {cpu}"
        count, sweeps = selfcheck.right(table[table["extra_epochs"].notna()])
        low, high = share_interval(count, sweeps)
        noisy = selfcheck.disturbed(table)
        figures[f"{name}-sentence"] = paragraph(
            f"How often are such intervals right? In {count} of {sweeps} sweeps ({low:.0%} to {high:.0%})"
            f"{where} all contained the true ratio"
            f"{f'; {noisy} of the sweeps were very noisy' if noisy else ''}"
            " ([method](docs/method.md#what-selfcheck-does))."
        )
        figures[name] = paragraph(sentences.selfcheck(table))
        figures[f"{name}-table"] = checked(selfcheck.shares(table)).markdown
    return figures


def pauses(path: Path) -> Table:
    """Return a row for each machine: how long it ran no program."""
    lines = []
    for file in sorted(path.glob("*.csv")):
        runs = pd.read_csv(file, parse_dates=["started_utc"]).sort_values("started_utc")
        since_s = runs["started_utc"].diff().dt.total_seconds()
        pause_s = since_s - runs["wall_s"].shift()
        rounds = runs[["method", "layers", "round"]]
        first = rounds.ne(rounds.shift()).any(axis=1)
        medians = {"within": pause_s[~first].median(), "between": pause_s[first].median()}
        lines.append({"machine": file.stem, **medians, "share": pause_s[first].sum() / since_s.sum()})
    columns = {
        "machine": words("machine"),
        "between runs of a round": seconds("within"),
        "between rounds": seconds("between"),
        "share of all time": percent("share"),
    }
    return Table("two", "", columns, lines)


def checked(shares: pd.DataFrame) -> Table:
    """Return a row for each contender and measure of a self-check."""
    found = tables_across.selfcheck(shares)
    columns = {
        "who, measure": Column("{}, {}".format, ("contender", "measure")),
        "true ratio, half width, sharpness": Column(
            lambda ratio, width, sharpness: f"{times(ratio)}, ±{width:.1%}, {sharpness:.2f}",
            ("true_ratio", "half_width", "sharpness"),
        ),
        "right (95%)": share_of("contains"),
        "seen (95%)": share_of("seen"),
    }
    return replace(found, columns=columns)


def share_of(name: str) -> Column:
    """Return a column of shares of sweeps with their intervals."""
    return Column(
        lambda hits, sweeps, low, high: f"{hits / sweeps:.0%} ({low:.0%} to {high:.0%})",
        (name, "sweeps", f"{name}_low", f"{name}_high"),
    )


def hits(record: pd.DataFrame) -> Table:
    """Return a row for each contender and method: how often its predictions came true."""
    found = tables_across.hits(record)
    columns = {
        "method, contender": Column("{}, {}".format, ("method", "contender")),
        "hits (95%)": Column(
            lambda hits, checks, low, high: f"{hits:.0f}/{checks:.0f} ({low:.0%} to {high:.0%})",
            ("hits", "checks", "low", "high"),
        ),
        **{head: found.columns[head] for head in ("median error", "farthest")},
    }
    return replace(found, columns=columns)


def exponents(results: Results) -> Table:
    """Return a row for each contender and method: how its time grows."""
    found = tables.exponents(results)
    _, _, _, _, count, neurons, straight = found.columns.values()
    lines = [
        {**line, "neurons": f"{neurons.cell(line).text}, {straight.cell(line).text}"} for line in found.lines
    ]
    columns = {
        "method, contender": Column("{}, {}".format, ("method", "contender")),
        "power (95%)": estimate("{:.2f}".format, "exponent", "low", "high"),
        "by count": count,
        "neurons, straight from": words("neurons"),
    }
    return replace(found, columns=columns, lines=lines)


def kernels(table: pd.DataFrame) -> Iterator[tuple[str, Table]]:
    """Yield each program with a row for each of its kernels and shapes."""
    found = tables_across.kernels(table)
    columns = {
        "kernel": Column("{} {}".format, ("kernel", "layers")),
        "time": found.columns["median"],
        "times as fast": factor("times_as_fast"),
        "each (of peak)": words("each"),
    }
    each, peak = seconds("each_s"), percent("share_of_peak")
    table = table.assign(each_s=table["ns_per_parameter"] / 1e9)
    for name, own in table.groupby("contender", sort=False):
        lines = []
        for line in own.to_dict("records"):
            of_peak = peak.cell(line).text
            lines.append({**line, "each": f"{each.cell(line).text} {of_peak and f'({of_peak})'}".strip()})
        yield str(name), replace(found, columns=columns, lines=lines)


def narrow(table: Table) -> Table:
    """Return a table of speedups with shorter heads, so that it fits a phone."""
    columns = {
        head.replace(", training", " per step").replace(", job", " per job"): column
        for head, column in table.columns.items()
    }
    return replace(table, columns=columns)


def of_sweep(results: Results) -> dict[str, str]:
    """Return what the places of a document that is about a sweep are filled with."""
    figures: dict[str, str] = {
        "answer": paragraph(f"**{next(sentences.rivals(results))}**"),
        "machine": machine(results),
        "exponents": exponents(results).markdown,
        "crossovers": listed(sentences.overtakings(results.crossovers)),
        **{f"methods-{name}": methods(results, name).markdown for name in results.contenders},
        **of_alternatives(results),
        **of_price(results),
    }
    for method in set(results.medians["method"]):
        table = tables.speedups(results, method)
        both = [line for line, row in zip(table.lines, table.rows, strict=True) if all(c.text for c in row)]
        figures[method] = narrow(replace(table, lines=both)).markdown
    if {"python", "rust"} <= {*results.contenders} and not results.crossovers.empty:
        figures["methods-sentence"] = methods_sentence(results)
    return figures


def methods(results: Results, contender: str) -> Table:
    """Return a row for each shape: the time of a contender's training step by each method."""
    table, start = tables.methods(results), f"{contender} "
    own = {
        head: column for head, column in table.columns.items() if head == "shape" or head.startswith(start)
    }
    lines = [line for line in table.lines if own.keys() & line.keys()]
    return replace(table, columns={head.removeprefix(start): own[head] for head in own}, lines=lines)


def methods_sentence(results: Results) -> str:
    """Say what a better method is worth at the article's shape, and from which size on it beats Rust."""
    medians = results.medians.set_index(["contender", "method", "layers"])["median"]
    python, rust = (
        three_digits(medians[name, "naive", str(ARTICLE)] / medians[name, "backprop", str(ARTICLE)])
        for name in ("python", "rust")
    )
    pairs = {"contender": "python", "method": "backprop", "than_contender": "rust", "than_method": "naive"}
    (said,) = sentences.overtakings(only(results.crossovers, **pairs))
    return paragraph(
        f"**Methods.** Backprop trains {ARTICLE} {python} times as fast as `naive` in Python, {rust} times in"
        f" Rust; {said.partition(' in training')[0]} ([three methods, two languages](docs/results.md))."
    )


def claims_sentence(judged: pd.DataFrame) -> str:
    """Say how many of the article's claims are confirmed, and which are not."""
    parts = [f"{(judged['verdict'] == 'confirmed').sum()} of {len(judged)} are confirmed"]
    for verdict, own in judged[judged["verdict"] != "confirmed"].groupby("verdict", sort=False):
        parts.append(f"{_VERDICTS.get(str(verdict), verdict)}: {', '.join(own['claim'])}")
    more = "[each with its figures](docs/results.md#the-articles-claims)"
    return paragraph(f"**The article's claims.** {'; '.join(parts)} ({more}).")


def predicted_sentence(record: pd.DataFrame) -> str:
    """Say how many predictions came true."""
    hits, checks = (record["hit"] == "yes").sum(), (record["hit"] != "").sum()
    return paragraph(
        f"**Predictions.** {hits} of {checks} for shapes that were not measured came true within their"
        " 95% interval ([by contender](docs/results.md#predictions))."
    )


def of_alternatives(results: Results) -> dict[str, str]:
    """Return the alternatives to Rust, by method, and what is the fastest where."""
    if "rust" in results.contenders:
        # The documents are about Rust, also where something else is the fastest on most cases.
        vars(results)["alternatives"] = to_rust(results)
    figures = {table.name: table.markdown for table in (*tables.instead(results), fastest(results))}
    table = results.alternatives
    factors = only(table, method="backprop").groupby("contender")["times_as_long"].agg(["min", "max"])
    if {"pyo3", "c", "python"} <= {*factors.index}:
        pyo3, c, python = (between(*factors.loc[name]) for name in ("pyo3", "c", "python"))
        figures["sentence"] = paragraph(
            "**Alternatives.** Rewriting the hot loop in Rust and calling it from Python (PyO3) is nearly all"
            f" of the gain: a step of backprop takes {pyo3} times as long as in the whole Rust program,"
            f" {c} times in C, and {python} times in pure Python ([all alternatives](docs/peers.md))."
        )
    return figures


def to_rust(results: Results) -> pd.DataFrame:
    """Return how far each contender is from Rust."""
    return alternatives.alternatives(results.standings, results.summary, results.over("rust"), "rust")


def of_price(results: Results) -> dict[str, str]:
    """Return how many times as long Rust takes as its build that may sum in any order, if both are there."""
    if not {"rust", "any-order"} <= {*results.contenders}:
        return {}
    table = only(results.over("rust"), contender="any-order", measure="training").dropna(subset=["low"])
    columns = {
        "method": words("method"),
        "shape": words("layers"),
        "price of the same bits": estimate(times, "ratio", "low", "high", "verdict"),
    }
    ordered = table.sort_values("ratio").to_dict("records")
    least, most = (
        f"{three_digits(one['ratio'])} ({between(one['low'], one['high'])}; {one['method']} {one['layers']})"
        for one in (ordered[0], ordered[-1])
    )
    sentence = (
        "**The price of the same bits.** With Python's order of sums Rust's step takes"
        f" {least} to {most} times as long as in any order"
        " ([shapes](docs/speed.md#the-price-of-the-same-bits))."
    )
    rows = Table("price", "", columns, table.to_dict("records"))
    return {"price": rows.markdown, "price-sentence": paragraph(sentence)}


def fastest(results: Results) -> Table:
    """Return a row for each case that the one which others are compared with could afford."""
    lines = []
    table = results.alternatives.dropna(subset=["times_as_long"])
    for (method, layers), own in table.groupby(["method", "layers"], sort=False):
        line: dict[str, Any] = {"method": method, "layers": layers}
        for field in ("times_as_long", "job_s"):
            first, *others = own.sort_values(field, kind="stable").to_dict("records")
            behind = [f", then {one['contender']} ({times(one[field] / first[field])})" for one in others[:1]]
            line[field] = "".join([first["contender"], *behind])
        lines.append(line)
    columns = {
        "method": words("method"),
        "shape": words("layers"),
        "shortest step": words("times_as_long"),
        "first to end the job": words("job_s"),
    }
    return Table("fastest", "Who is the fastest where", columns, lines)


def programs_and_kernels(results: Results, table: pd.DataFrame) -> Table:
    """Return a row for each step that was timed both in its program, with losses and printing, and alone.

    ``at_peak`` is the step alone, and a sample of the overall loss at the processor's peak, over the step.
    """
    alone = table.set_index(["contender", "kernel", "layers"])["median_s"].to_dict()
    peak = table[table["kernel"] == "peak-multiply-add"].iloc[0]
    operation_s = peak["median_s"] / peak["operations"]
    lines = []
    for one in results.medians.to_dict("records"):
        if kernel_s := alone.get((one["contender"], f"step-{one['method']}", one["layers"])):
            at_peak = 1.0 + 2 * Shape.parse(one["layers"]).parameters * operation_s / kernel_s
            lines.append({**one, "kernel_s": kernel_s, "times": one["median"] / kernel_s, "at_peak": at_peak})
    columns = {
        "step": Column("{} {}".format, ("method", "layers")),
        "kernel": seconds("kernel_s"),
        "program": Column(lambda s, ratio: f"{duration(s)} ({times(ratio)})", ("median", "times")),
        "loss at peak": factor("at_peak"),
    }
    caption = "A training step in the program and alone"
    return Table("programs-and-kernels", caption, columns, lines)


def machine(results: Results) -> str:
    """Return on what machine, with which programs, how often, with what outcome was measured."""
    where = results.environment
    toolchains = [
        str(about["toolchain"]).splitlines()[0].partition(" (")[0]
        for about in where["contenders"].values()
        if about["toolchain"] and about["build"]
    ]
    python = str(where["python"])
    if "--enable-optimizations" not in str(where["python_build_options"]):
        python += " built without profile-guided optimisation"
    system = " ".join(str(where["system"]).split("-")[:2])
    return paragraph(
        f"One `make bench` of {results.plan.options.budget_s / 60.0:.0f} minutes on {where['cpu']},"
        f" {where['usable_cores']} cores, {system}, {python},"
        f" {'; '.join([*filter(None, [', '.join(dict.fromkeys(toolchains))]), sentences.rounds(results)])}."
        f" {sentences.evidence(results)}"
    )


def paragraph(text: str, *, follows: str = "") -> str:
    """Wrap a text as the documents are."""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=follows, break_long_words=False, break_on_hyphens=False
    )


def listed(texts: Iterable[str]) -> str:
    """Return a list in Markdown, an item for each text."""
    return "\n".join(paragraph(f"- {text[0].upper()}{text[1:]}.", follows="  ") for text in texts)


def write(results: Results, project: Path) -> Iterator[Path]:
    """Fill the places of README.md and docs/*.md, draw the pictures that are there; yield what changed."""
    docs = project / "docs"
    figures = figures_of(results, docs)
    for path in (project / "README.md", *sorted(docs.glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text, figures)) != text:
            replace_file(path, new.encode())
            yield path
    drawn = {
        docs / f"{name}.png": pictures_across.selfcheck(selfcheck.read(docs / f"{name}.csv"))
        for name in CHECKS
    }
    drawn[docs / "parts.png"] = pictures_across.parts(article.parts(article.read(docs / "parts.csv")))
    drawn |= {
        path: PICTURES[path.name](results, style.caption(results))
        for path in results.path.glob("*.png")
        if path.name in PICTURES
    }
    for path, figure in drawn.items():
        replace_file(path, style.png(figure))
        yield path


if __name__ == "__main__":
    sweep = Archive(RESULTS).find(*sys.argv[1:] or ["latest"])
    for changed in write(understand(sweep), ROOT):
        print(changed)
