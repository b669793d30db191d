#!/bin/sh
# Measures what the documents quote, on this machine, in one stretch of ninety minutes in which nothing else may
# run; then fills the documents. From the project's folder: sh docs/measure.sh
# What it leaves as it is: docs/comparisons.csv and docs/noise.csv, which tests read.
set -eu

make peers WITH="torch mojo"
make bench RESULTS=results/sweep ARGS="--budget 420"
make article RESULTS=results/sweep
# Longer runs than a sweep has by default: of large networks a run has few steps, besides what it does once.
make bench PEERS=1 RESULTS=results/peers ARGS="--methods naive backprop --budget 840 --seconds 0.1 \
    --shapes 10-5-1 64-32-1 256-128-1"
make bench PEERS=1 RESULTS=results/large ARGS="--methods backprop --shapes 1000-1000-1 --budget 300 --seconds 0.5 \
    --contenders rust c cython pyo3 pyo3-steps numba jax numpy torch torch-by-hand mojo"
make bench RESULTS=results/bits ARGS="--manifest docs/bits.toml --budget 180 --seconds 0.3 \
    --shapes 10-5-1 64-32-1 128-64-1 256-128-1 1000-1000-1"
make kernels RESULTS=results/sweep
make predict RESULTS=results/sweep ARGS=--check
make selfcheck RESULTS=results/sweep ARGS="--budget 1500"
make selfcheck RESULTS=results/sweep ARGS="--storm --budget 600"

# Two cores stand for machines, as docs/machines.md has it; what is started ends with this script at the latest.
make .venv/.ready-machines
started=
trap 'kill $started; wait' EXIT
trap 'exit 1' HUP INT TERM
start() { "$@" >>results/two.log 2>&1 & started="$started $!"; }
start make scheduler ARGS="--host 127.0.0.1"
start taskset -c 0 env FLATNET_MACHINE=a make worker SCHEDULER=tcp://127.0.0.1:8786
start taskset -c 1 env FLATNET_MACHINE=b make worker SCHEDULER=tcp://127.0.0.1:8786
.venv/bin/python -c "from distributed import Client; Client('tcp://127.0.0.1:8786').wait_for_workers(2, 60)"
make bench RESULTS=results/two ARGS="--scheduler tcp://127.0.0.1:8786 --budget 60 --fresh"
kill $started
wait
trap - EXIT

for sweep in sweep peers large bits; do
    mkdir -p "docs/$sweep"
    for file in plan.json environment.json runs.csv; do cp "results/$sweep/$file" "docs/$sweep"; done
done
two=$(ls -d results/two/machines/* | tail -n 1)
mkdir -p docs/two
for machine in a b; do cp "$two/$machine/runs.csv" "docs/two/$machine.csv"; done
cp "$two/machines.png" docs
for table in storage seeds parts kernels predictions selfcheck storm; do cp "results/sweep/$table.csv" docs; done
for sweep in sweep peers large bits; do .venv/bin/python -m docs.figures "docs/$sweep"; done

make plot RESULTS=results/sweep
if browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome); then
    "$browser" --headless --no-sandbox --hide-scrollbars --window-size=900,1000 --screenshot=docs/report.png \
        "file://$PWD/results/sweep/report.html"
else
    echo "docs/report.png is that of an earlier sweep: there is no chromium here"
fi
