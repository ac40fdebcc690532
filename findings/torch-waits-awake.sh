#!/usr/bin/env bash
# One busy program on two cores makes torch on the CPU not twice but many times slower, and three torch threads
# that spin a thousandth as long mend it without costing an idle machine anything that can be measured.
#
# Most would guess: a program that takes one of two cores leaves two torch threads at least half of their pace; and
#   OMP_NUM_THREADS is what there is to turn.
# Seen, torch 2.13.0 from PyPI for Linux (its own libgomp), two cores, thirty small operations in a row (a network's
#   layers on 64 x 64 maps): after every operation the thread that is done spins up to 300 000 times (some 20 ms where
#   a pause takes 140 cycles) for one that the scheduler has put aside, and so uses up the very time that one waits
#   for. Beside one busy program that is 4 to 30 times the idle time. With GOMP_SPINCOUNT=1000 it is 1.3 to 3 times,
#   with the same time as before on an idle machine; with 0, threads sleep at once, and the idle machine pays for
#   waking them.
# Not the same everywhere: torch for Windows brings Intel's runtime, for macOS LLVM's (KMP_BLOCKTIME, 200 ms of
#   spinning); the one for macOS is too old to take "50us", which the one for Windows understands.
# Source: gcc, libgomp/env.c (initialize_env: 300 000 without a policy, 100 where threads outnumber processors);
#   llvm-project, reviews.llvm.org/D157646 (units of KMP_BLOCKTIME).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6"
cat > "$work/layers.py" <<'PROGRAM'
import os, statistics, time
import torch

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
torch.set_num_threads(2)
x = torch.randn(1, 64, 64, 64)
layers = [torch.nn.Conv2d(64, 64, 3, padding=1, groups=64) for _ in range(30)]
times = []
with torch.inference_mode():
    for turn in range(45):
        begin = time.perf_counter()
        y = x
        for layer in layers:
            y = layer(y).relu_()
        if turn >= 5:
            times.append(time.perf_counter() - begin)
print(1000 * statistics.median(times))
PROGRAM
cat > "$work/states.py" <<'PROGRAM'
import os, subprocess, sys

cores = sorted(os.sched_getaffinity(0))[:2]
if len(cores) < 2 or not sys.platform.startswith("linux"):
    raise SystemExit("two cores of a Linux machine are needed; nothing was tried")


def layers(spins):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    if spins is not None:
        environment["GOMP_SPINCOUNT"] = spins
    command = [sys.executable, sys.argv[1]]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def busy(spins):
    bind = f"import os; os.sched_setaffinity(0, {cores})\nwhile True: pass"
    other = subprocess.Popen([sys.executable, "-c", bind])
    try:
        return layers(spins)
    finally:
        other.kill()
        other.wait()


ratios = {}
for spins in (None, "1000"):
    idle, beside = min(layers(spins) for _ in range(3)), sorted(busy(spins) for _ in range(3))[1]
    ratios[spins] = beside / idle
    name = "as it comes" if spins is None else f"GOMP_SPINCOUNT={spins}"
    print(f"{name:20} idle {idle:6.1f} ms, beside one busy program {beside:6.1f} ms: {ratios[spins]:.1f} times")
assert ratios[None] > 3.0, "it no longer waits awake"
assert ratios["1000"] < 0.7 * ratios[None], "spinning shortly no longer helps"
print("as described")
PROGRAM
"$work/venv/bin/python" "$work/states.py" "$work/layers.py"
