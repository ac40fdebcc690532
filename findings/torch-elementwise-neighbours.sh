#!/usr/bin/env bash
# An elementwise function of torch on the CPU answers by how many neighbours and how many threads there are.
#
# Most would guess: f(x)[i] depends on x[i] alone, so a shorter tensor, or another number of threads, changes
#   nothing; only sums and products add up in another order.
# Seen, torch 2.13.0, float32, AVX-512 and AVX2: softplus, SELU, ELU, mish, pow and atan2 give another last bit for
#   the same number when it stands in the remainder that no longer fills two vector registers; that remainder
#   goes through the scalar function of the C library. Each thread's share of a tensor has a remainder of its own,
#   so the number of threads moves it through the tensor: one call with 1 and with 4 threads differs in up to a
#   dozen of 200 003 places. exp, tanh, GELU and log1p, whose remainder is computed as vectors, never differ.
# What follows: the same bits on two machines ask for the same number of threads and the same instruction set,
#   even for a network without a single reduction; a test that compares a batch with its single pictures
#   has to leave room for one unit in the last place.
# Source: github.com/pytorch/pytorch, issue 48235 (softplus by length, open since 2020), pull request 196999
#   (logit's remainder, 2026).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PROGRAM'
import torch
from torch.nn import functional as F

EXPECTED = {
    "softplus": (F.softplus, True),
    "selu": (F.selu, True),
    "elu": (F.elu, True),
    "mish": (F.mish, True),
    "pow": (lambda x: x.abs() ** 0.3, True),
    "atan2": (lambda x: torch.atan2(x, x + 1), True),
    "exp": (torch.exp, False),
    "tanh": (torch.tanh, False),
    "gelu": (F.gelu, False),
    "log1p": (lambda x: x.abs().log1p(), False),
}

torch.manual_seed(0)
numbers = torch.randn(200_003)
print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
    raise SystemExit("this machine has no vectors of the kind that was measured; nothing was tried")
by_threads = 0
for name, (function, varies) in EXPECTED.items():
    torch.set_num_threads(1)
    whole = function(numbers)
    lengths = [n for n in range(1, 65) if not torch.equal(function(numbers[:n].clone()), whole[:n])]
    places = {}
    for threads in (2, 3, 4, 6, 8):
        torch.set_num_threads(threads)
        places[threads] = int((function(numbers) != whole).sum())
    print(f"{name:9} other bits in {len(lengths):2} of 64 lengths; by threads {places}")
    assert bool(lengths) == varies, f"{name} behaves otherwise than it did"
    assert varies or not any(places.values()), f"{name} behaves otherwise than it did"
    by_threads += any(places.values())
assert by_threads, "the number of threads no longer matters"
print("as described")
PROGRAM
