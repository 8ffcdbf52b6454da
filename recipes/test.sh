#!/usr/bin/env bash
# Runs the tests, after making the environment if need be.
#
#   bash recipes/test.sh                      all that need no other Python: what to run before a commit
#   bash recipes/test.sh fast                 the unit tests, in 3 minutes
#   bash recipes/test.sh [PYTEST_ARGUMENTS]   for example -m "not slow", or tests/unit/scoring -k rouge
#   CI=true bash recipes/test.sh              these, and what takes long: what continuous integration runs
#
# Inputs    the checkout; tests make their own data. CI=true: tests that need the network fail without it, and the
#           tests of other Pythons run too (recipes/test_compat.sh) where Python 3.8 is found.
#   JOBS      tests that run at once (one a processor, 4 at most)
# Output    pytest's report, with the slowest tests at its end; exit code 0 when all passed.
# Hardware  2 processors, 8 GiB.
# Time      fast: 3 minutes on 2 processors; all: 16 to 20.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${JOBS:=$(swcm_cores)}"
[ "$JOBS" -le 4 ] || JOBS=4
# Tensors in tests are so small that more threads only wait for each other.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

# browser_for_tests: there is one on PATH, and what drives it; where CI=true, both are installed, since the tests of
# swcm-score's report and of swcm-serve's page then want them.
browser_for_tests() {
    local name
    for name in chromium chromium-browser google-chrome chromium-headless-shell firefox firefox-esr; do
        if command -v "$name" >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1; then return; fi
    done
    say "installing Chromium with apt, for the tests of pages"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver; } >/dev/null ||
        say "Chromium could not be installed; the tests of pages will fail"
}

# apt works while pip does.
[ "${CI:-}" != true ] || browser_for_tests &
use_environment
wait
cd "$SWCM_ROOT"
# A file's tests stay together, since they share what takes long to make. Files are taken in their order: the longest,
# tests/faults and tests/integration, before the many short ones that fill up the end.
pytest=("$SWCM_PY" -m pytest --numprocesses "$JOBS" --dist loadfile --durations=20)
# The pytest-xdist of Python 3.8 keeps their order unasked.
[[ $("$SWCM_PY" -m pytest --help) != *--no-loadscope-reorder* ]] || pytest+=(--no-loadscope-reorder)
if [ "${1:-}" = fast ]; then
    shift
    exec "${pytest[@]}" tests/unit -m "not network and not slow" "$@"
fi
# The tests of another Python use the second processor meanwhile; what they print comes after.
others=
if [ "${CI:-}" = true ] && [ $# -eq 0 ]; then
    printed=$(mktemp)
    VERSIONS=3.8 bash recipes/test_compat.sh >"$printed" 2>&1 &
    others=$!
    trap 'kill "$others" 2>/dev/null || true; rm -f "$printed"' EXIT
fi
failed=0
[ $# -gt 0 ] || set -- tests
"${pytest[@]}" "$@" || failed=$?
if [ -n "$others" ]; then
    wait "$others" || failed=1
    cat "$printed"
fi
exit "$failed"
