"""What a whole job takes: by a known law, from runs whose lengths the harness chose."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.job import startup
from harness.case import ARTICLE, ARTICLE_JOB, Job
from harness.measure import runner
from harness.measure.sweep import Sweep
from harness.plan import Options, Plan
from harness.records import SweepFolder
from harness.report import sentences, tables
from tests import fakes
from tests.sweeps import case, plan, row, understood


def test_a_job_reads_and_writes_as_people_do() -> None:
    job = Job.parse("20x50")
    assert (job.epochs, job.samples, job.training_steps, str(job)) == (20, 50, 1000, "20x50")
    for text in ("20", "20x", "0x5", "5x0", "-1x5", "1e3x5", "20X50", "x", "1000000000000x1000000000000"):
        with pytest.raises(ValueError, match="takes EPOCHSxSAMPLES such as 100x100"):
            Job.parse(text)


LAW = {"python": (0.5, 2e-3), "rust": (0.001, 5e-6)}
"""Seconds of a start-up without data, and of a training step."""
DATA_S = 1e-6
"""Of a sample and weight."""


def lawful(path: Path, samples: int, epochs: dict[str, int], job: Job = ARTICLE_JOB) -> pd.DataFrame:
    """Return the ratios of a sweep in which everything takes what the law says."""
    rows = []
    for layers in ("10-5-1", "20-10-1"):
        # The samples of one case are those of the job, which shows what data take.
        size = {"10-5-1": samples, "20-10-1": job.samples}[layers]
        for name, (start_s, step_s) in LAW.items():
            of = case(layers, samples=size, epochs=epochs[name])
            training_s = of.training_steps * step_s
            wall_s = start_s + DATA_S * size * sum(of.shape.weights) + training_s
            rows += [
                row(name, number, of=of, training_s=training_s, wall_s=wall_s) for number in range(1, 10)
            ]
    of_plan = plan(
        ["python", "rust"],
        [case("10-5-1"), case("20-10-1")],
        options=Options(rounds=9, job=job),
        control=False,
    )
    results = understood(path, rows, of_plan)
    jobs = results.summary[results.summary["measure"] == "job_s"].set_index(["contender", "layers"])["median"]
    for name, (start_s, step_s) in LAW.items():
        expected = start_s + DATA_S * job.samples * 55 + job.training_steps * step_s
        assert jobs[name, "10-5-1"] == pytest.approx(expected, rel=1e-6)
    return results.speedups


def test_a_job_is_what_happens_once_and_its_steps(tmp_path: Path) -> None:
    table = lawful(tmp_path, 100, {"python": 2, "rust": 50})
    lines = {(one["layers"], one["measure"]): one for one in table.to_dict("records")}
    one = lines["10-5-1", "job"]
    assert one["ratio"] == pytest.approx((0.5055 + 20.0) / (0.0065 + 0.05))
    assert (one["low"], one["high"]) == (pytest.approx(one["ratio"]), pytest.approx(one["ratio"]))
    assert (one["samples"], one["epochs"], one["reference_epochs"]) == (100, 50, 2)
    assert lines["10-5-1", "training"]["ratio"] == pytest.approx(400.0)


def test_the_data_of_samples_that_a_run_lacks_are_counted(tmp_path: Path) -> None:
    lawful(tmp_path / "few", 1, {"python": 2, "rust": 50})
    lawful(tmp_path / "other", 7, {"python": 1, "rust": 9}, job=Job(13, 1000))


def test_a_run_that_is_the_job_is_what_was_measured(tmp_path: Path) -> None:
    of = case("10-5-1", samples=100, epochs=100)
    walls = [0.1, 0.13, 0.11]
    rows = [
        row("rust", number, of=of, training_s=0.04 + 0.01 * number, wall_s=wall_s)
        for number, wall_s in enumerate(walls, start=1)
    ]
    results = understood(tmp_path, rows)
    assert results.runs["job_s"].tolist() == pytest.approx(walls, rel=1e-12)


def test_compiling_counts_and_cpu_seconds_do_not(tmp_path: Path) -> None:
    of = case("10-5-1", samples=100, epochs=1)
    rows = [replace(row("jit", n, of=of, training_s=0.5, wall_s=4.0), compile_s=3.0) for n in (1, 2)]
    (job_s, *_) = understood(tmp_path, rows).runs["job_s"]
    assert job_s == pytest.approx(0.5 + 3.0 + 10_000 * 0.005)


def warming(of_plan: Plan, epochs: int) -> Plan:
    """Return the plan in which rust needs 0.25 s more for a training because it begins slowly."""
    planned = replace(of_plan.cases[0], warm_up_s={"rust": 0.25}, epochs={"rust": epochs})
    return replace(of_plan, cases=(planned,))


def test_what_warms_up_has_the_step_of_its_end_and_its_job_is_measured(tmp_path: Path) -> None:
    of = case("10-5-1", samples=100, epochs=1)
    made = warming(plan(["python", "rust"], [of], options=Options(rounds=3), control=False), 100)
    long = replace(of, epochs=100)
    rows = [
        *(row("python", n, of=of, training_s=0.1, wall_s=0.6) for n in (1, 2, 3)),
        *(row("rust", n, of=long, training_s=0.75, wall_s=1.0) for n in (1, 2, 3)),
    ]
    results = understood(tmp_path, rows, made)
    table = results.speedups.set_index("measure")
    # Steps of 1 ms and of (0.75 - 0.25) / 10,000; jobs of 0.5 + 10,000 * 1 ms and of 1 s.
    assert table["ratio"].to_dict() == {"training": pytest.approx(20.0), "job": pytest.approx(10.5)}
    assert set(table["verdict"]) == {"faster"}
    shown = tables.by_case(results).markdown
    assert "| 50.0 µs* |" in shown
    assert sentences.marks_of(results).startswith(
        "* becomes faster while it runs: the step at the end of its job"
    )


def test_what_is_still_warming_up_has_no_verdict(tmp_path: Path) -> None:
    of = case("10-5-1", samples=100, epochs=1)
    made = warming(plan(["python", "rust"], [of], options=Options(rounds=3), control=False), 2)
    rows = [
        *(row("python", n, of=of, training_s=0.1, wall_s=0.6) for n in (1, 2, 3)),
        *(row("rust", n, of=replace(of, epochs=2), training_s=0.4, wall_s=0.5) for n in (1, 2, 3)),
    ]
    results = understood(tmp_path, rows, made)
    assert results.speedups["verdict"].tolist() == ["still warming up"] * 2
    # Its step is its average: there is no better one.
    assert results.medians.set_index("contender")["median"]["rust"] == pytest.approx(0.4 / 200)
    assert "| 2.00 ms~ | 0.500x~ (0.500 to 0.500) |" in tables.by_case(results).markdown
    assert sentences.marks_of(results) == "~ still warming up, so no verdict"
    assert "(95% interval 0.500 to 0.500, still warming up, so no verdict)" in next(sentences.rivals(results))


def test_the_start_up_by_hand() -> None:
    weights, seconds = pd.Series([100.0, 200.0, 400.0]), pd.Series([1.5, 2.0, 3.0])
    assert startup(weights, seconds).tolist() == pytest.approx([1.0, 0.005])
    # Nothing depends on what never varied.
    assert startup(weights[:1], seconds[:1]).tolist() == pytest.approx([1.5, 0.0])


def test_the_job_of_fakes_whose_law_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the processes to the ratio: each run takes a second, of which some is said to be training."""
    monkeypatch.setattr(runner, "run", fakes.at_once)
    of = case(str(ARTICLE), samples=100, epochs=10)
    made = plan(["a", "b"], [of], options=Options(rounds=8), control=False)
    made = replace(made, cases=(replace(made.cases[0], epochs={"b": 100}),))
    contenders = [fakes.contender("a", "honest:4e-5"), fakes.contender("b", "honest:1e-6")]
    SweepFolder(tmp_path).begin(made, {})
    sweep = Sweep(made, contenders, SweepFolder(tmp_path), "box")
    for run in sweep.pending():
        sweep.perform(run)
    from harness.analysis.results import understand  # noqa: PLC0415 - pandas is for readers

    table = understand(SweepFolder(tmp_path)).speedups.set_index("measure")
    # a: 1 s of which 1000 steps are 0.04 s, so 0.96 and 10,000 steps of 4e-5 s. b ran the job: 1 s.
    assert table["ratio"]["job"] == pytest.approx(0.96 + 0.4)
    assert table["ratio"]["training"] == pytest.approx(40.0)
    assert math.isnan(table["floor"]["job"])
