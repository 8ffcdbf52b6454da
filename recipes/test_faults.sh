#!/usr/bin/env bash
# What machines do to long runs, and what strangers put into files: kill -9 at random moments in every stage, full
# disks, places that take nothing, two runs in one folder, Ctrl-C, and files with programs in them.
#
# Usage     recipes/test_faults.sh [PYTEST_ARGUMENTS]
# Inputs    the checkout; the tests make their own data. recipes/test.sh runs the same tests with a few kills each.
#   KILLS     kills of a stage that starts quickly; slow ones get a part of it (50)
#   OUT       folder for the report (runs/faults)
# Outputs   OUT/kills.jsonl: for each stage how often it was killed, and how many of the kills fell into the writing of
#           a file; the table that is printed at the end.
# Hardware  2 processors, 4 GiB; Linux.
# Time      some 15 minutes on 2 processors.
# Expect    all passed; over 200 kills, over 50 of them in the writing of a file, and nothing lost.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${KILLS:=50}"
: "${OUT:=$SWCM_ROOT/runs/faults}"
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

use_environment
mkdir -p "$OUT"
rm -f "$OUT/kills.jsonl"
cd "$SWCM_ROOT"
SWCM_KILLS=$KILLS SWCM_KILLS_REPORT=$(cd "$OUT" && pwd)/kills.jsonl \
    "$SWCM_PY" -m pytest tests/faults --durations=10 "$@"
[ ! -e "$OUT/kills.jsonl" ] || "$SWCM_PY" -c '
import json, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
rows.append({"stage": "all", **{name: sum(row[name] for row in rows) for name in ("kills", "while writing")}})
for row in rows:
    print("{stage:10} {kills:4} kills, {0:4} while writing a file".format(row["while writing"], **row))
' "$OUT/kills.jsonl"
