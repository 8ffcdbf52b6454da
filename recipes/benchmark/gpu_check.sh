#!/usr/bin/env bash
# Does all of this work on the GPU at hand, and how well? For whoever has one and ten minutes.
#
#   bash recipes/benchmark/gpu_check.sh [OUT_DIR]            (runs/gpu_check)
#
# Inputs:   nothing: models and text are drawn at random. SWCM_DEVICE=cpu tries every step on the CPU, in small.
#   STEPS     which steps, for example "environment parity" (all)
# Outputs:  OUT_DIR/gpu_check.md, a table to paste into an issue, and gpu_check.json; OUT_DIR/STEP.log, what each said.
#           A step that fails doesn't stop the others.
# Hardware: one GPU, or two for the comparison of two processes with one.
# Time:     a GPU about 10 minutes; 2 CPU cores in small 5.
# Expect:   "ok" in every row; exit code 1 where one failed.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${STEPS:=}"

[ $# -le 1 ] || usage_error "recipes/benchmark/gpu_check.sh [OUT_DIR]"
use_environment
find_gpus
# shellcheck disable=SC2086
exec "$SWCM_PY" -m recipes.benchmark.gpu_check --out "${1:-$SWCM_ROOT/runs/gpu_check}" --gpus "$SWCM_GPUS" $STEPS
