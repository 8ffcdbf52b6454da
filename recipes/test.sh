#!/usr/bin/env bash
# Runs the tests, after making the environment if need be.
#
# Usage     recipes/test.sh [PYTEST_ARGUMENTS], for example: recipes/test.sh -m "not slow" -k scoring
# Inputs    the checkout; tests make their own data. CI=true: tests that need the network fail without it, and the
#           tests of other Pythons run too (recipes/test_compat.sh) where Python 3.8 is found.
# Output    pytest's report, with the slowest tests at its end; exit code 0 when all passed.
# Hardware  2 processors, 8 GiB.
# Time      up to 25 minutes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

# Tensors in tests are so small that more threads only wait for each other.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

use_environment
cd "$SWCM_ROOT"
if [ "${CI:-}" = true ] && [ $# -eq 0 ]; then
    VERSIONS=3.8 bash recipes/test_compat.sh
fi
exec "$SWCM_PY" -m pytest tests --durations=20 "$@"
