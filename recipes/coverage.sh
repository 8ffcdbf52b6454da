#!/usr/bin/env bash
# Which lines of swcm_fairseq and preprocess the tests run, in their own process and in all that they start.
#
# Usage     recipes/coverage.sh [PYTEST_ARGUMENTS], for example: recipes/coverage.sh tests/unit -m "not network"
# Inputs    the checkout; coverage, which the environment of Python 3.11 and 3.12 has.
#   OUT       folder for the reports (runs/coverage)
#   LEAST     percent of the lines that must be run (95); with PYTEST_ARGUMENTS, which leave tests out, 0
# Outputs   OUT/coverage.json and OUT/html/index.html: which lines are not run; a table of the files on the terminal.
# Hardware  2 processors, 8 GiB.
# Time      1.5 times as long as recipes/test.sh.
# Expect    exit code 0: all tests passed, and at least LEAST percent (98 were). No line is left out of the count.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${OUT:=$SWCM_ROOT/runs/coverage}"
: "${LEAST:=$([ $# -eq 0 ] && echo 95 || echo 0)}"
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

use_environment
"$SWCM_PY" -c 'import coverage' 2>/dev/null || die "coverage is not installed in $SWCM_VENV; it is with Python 3.11 or 3.12"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
rm -rf "$OUT"/data*
cd "$SWCM_ROOT"
export COVERAGE_FILE=$OUT/data
cover() { "$SWCM_PY" -m coverage "$@" --rcfile="$SWCM_ROOT/.coveragerc"; }

[ $# -gt 0 ] || set -- tests
status=0
"$SWCM_PY" -m coverage run --rcfile="$SWCM_ROOT/.coveragerc" -m pytest -p no:cacheprovider "$@" || status=$?
cover combine --quiet
cover json --quiet -o "$OUT/coverage.json"
cover html --quiet -d "$OUT/html"
cover report --fail-under="$LEAST" || die "less than $LEAST% of the lines are run; see $OUT/html/index.html"
[ "$status" -eq 0 ] || die "tests failed; see above"
