#!/usr/bin/env bash
# Speed and memory of ours against Hugging Face's EncoderDecoderModel and fairseq's own transformer.
#
#   recipes/benchmark/speed.sh [--what train,generate,memory] [--vocabulary 12500,135000,250000]
#       [--dtype float32,bf16] [--rounds 5] [--json FILE] ...          (--help lists all settings)
#
# What it does: the same random sentences of real lengths for all three, random weights, one process for each system,
# asked in turn batch by batch, so that a busy machine slows all alike; ratios are medians over rounds.
#   ours      xlm_swcm, and
#   fairseq   transformer with as many weights, both through fairseq's Trainer and generator with the recipes' flags and
#             the package's fused AdamW;
#   hf        EncoderDecoderModel, XLM-R to XLM-R, the same encoder, a decoder with as many weights; a plain loop with
#             fused AdamW, sdpa attention, autocast to bf16; its own generate with cache, weights in bf16.
#   train     real target pieces a second (padding not counted) of whole steps: forward, backward, clip, optimizer
#   generate  greedy and beam 5, batches of 1 and 64, every hypothesis forced to its reference's length: </s> is forbidden
#             before and the only choice then
#   memory    of a step with 2,048 target pieces above weights, gradients and optimizer state, in a fresh process
# Beside each speed stands the share of what the machine can do, measured between the systems: of large matrix
# products, and of reading memory, for the operations and bytes that cannot be avoided (JSON: a piece).
#
# Input:    nothing, or --lengths: a data-bin folder, or a file with a source and a target length a line.
# Output:   a table, and all numbers with --json FILE; with --ledger recipes/results a file of the ledger for each
#           measurement, and what it has of this kind of CPU isn't measured again.
# Hardware: a CPU, or one GPU when there is one (--device cpu leaves it alone). Memory: about 3 GB at 12,500 pieces, 12 GB
#           at 250,000.
# Time:     2 CPU cores: about 5 minutes for --vocabulary 12500 --dtype bf16, an hour for everything.
# Expect:   "theirs/ours" above 1: how many times as long they take (or as much memory).
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

use_environment
# Threads wait as they do in a user's program, where the recipes' sleep: waking them takes as long as a small product.
unset OMP_WAIT_POLICY
# bf16 is measured by default only where the machine has it: in a plain loop it would take hours.
dtypes=(--dtype float32)
[ "$("$SWCM_PY" -m swcm_fairseq.hardware | cut -f 1)" != bf16 ] || dtypes=(--dtype "float32,bf16")
commit=$(git -C "$SWCM_ROOT" rev-parse HEAD 2>/dev/null || true)
exec "$SWCM_PY" -m recipes.benchmark.speed "${dtypes[@]}" --commit "$commit" "$@"
