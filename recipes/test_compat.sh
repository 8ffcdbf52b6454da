#!/usr/bin/env bash
# Runs the core of the tests under every Python that the package supports and this machine has, and has each
# environment decode with the checkpoints that the others have trained.
#
# Usage     recipes/test_compat.sh [PYTEST_ARGUMENTS], which replace the core of the tests
# Inputs    the checkout; whatever of Python 3.8 to 3.13 is there. For 3.9, 3.10 and 3.13 fairseq is built (setup.sh).
#   VERSIONS    the Pythons to look for ("3.8 3.9 3.10 3.11 3.12 3.13"); the one of SWCM_VENV takes part in the exchange anyway
#   PIPS        pips that must each make the same environment, "pip==23.3.2 pip" for example, the last being the newest
#               (none: the environments that are there will do)
#   SWCM_VENV   the environment; those of other versions are made beside it, as .venv-3.8 for example
# Output    pytest's reports; exit code 0 when all passed. OUT (runs/compat) has the checkpoints that were exchanged.
# Hardware  2 processors, 8 GiB; 2 GB of disk for each environment.
# Time      an environment 3 minutes, as long again for each of PIPS; its tests 3 minutes.
# Expect    a line for each version that is found, and at the end the versions that passed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/pythons.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/pythons.sh"

: "${VERSIONS:=3.8 3.9 3.10 3.11 3.12 3.13}"
: "${PIPS:=}"
: "${OUT:=$SWCM_ROOT/runs/compat}"
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

core=(tests/unit/{criterions,data,decoding,fairseq_patches,models,modules,optim,pretrained,serving,tasks,training,vocabulary}
    tests/unit/test_{errors,files,sentences,torch_files,training_run}.py tests/integration/test_peers_decoding.py
    tests/faults/test_untrusted_files.py
    -m "not network and not slow")
[ $# -eq 0 ] || core=("$@")

packages() { "$1/bin/python" -m pip list --disable-pip-version-check --format=freeze --exclude pip; }
# made_by_pips VENV: what each of PIPS makes beside VENV, and removes again, holds the same packages as VENV. On Python
# 3.8 setup.sh itself chooses the pip, since the newer ones cannot read what fairseq needs there.
made_by_pips() {
    local pip other pips
    read -r -a pips <<<"$PIPS"
    [ "$(version_of "$1/bin/python")" != 3.8 ] || return 0
    for pip in "${pips[@]}"; do
        other=$1-${pip//[!a-z0-9.]/-}
        rm -rf "$other"
        "$1/bin/python" -m venv "$other"
        "$other/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$pip"
        say "$("$other/bin/python" -m pip --version | cut -d ' ' -f 1,2) makes $other"
        SWCM_VENV=$other SWCM_PYTHON=$1/bin/python bash "$SWCM_ROOT/recipes/setup.sh"
        diff <(packages "$1") <(packages "$other") || die "$pip makes another environment than $1; see above"
        rm -rf "$other"
    done
}

use_environment
here=$(version_of "$SWCM_PY") || die "$SWCM_PY does not run"
made_by_pips "$SWCM_VENV"
versions=("$here")
venvs=("$SWCM_VENV")
for version in $VERSIONS; do
    [ "$version" != "$here" ] || continue
    if ! python=$(python_of "$version"); then
        say "Python $version: not on this machine, left out"
        continue
    fi
    venv=$SWCM_VENV-$version
    if [ "${SWCM_SKIP_SETUP:-0}" != 1 ]; then
        SWCM_VENV=$venv SWCM_PYTHON=$python bash "$SWCM_ROOT/recipes/setup.sh"
    fi
    made_by_pips "$venv"
    versions+=("$version")
    venvs+=("$venv")
done

mkdir -p "$OUT"
export SWCM_EXCHANGE
SWCM_EXCHANGE=$(mktemp -d "$OUT/exchange.XXXXXX")
cd "$SWCM_ROOT"
tests() { # VENV ARGUMENTS
    local venv=$1
    shift
    PATH="$venv/bin:$PATH" "$venv/bin/python" -m pytest -q "$@"
}
for i in "${!venvs[@]}"; do
    say "Python ${versions[i]}: trains a checkpoint for the others"
    tests "${venvs[i]}" tests/integration/test_exchange.py -k train
done
for i in "${!venvs[@]}"; do
    say "Python ${versions[i]}: decodes with the checkpoints of all"
    tests "${venvs[i]}" tests/integration/test_exchange.py -k decode
done
for i in "${!venvs[@]}"; do
    # The one that recipes/test.sh has runs everything there.
    if [ "$i" -gt 0 ] || [ ${#venvs[@]} -eq 1 ]; then
        say "Python ${versions[i]}: the core of the tests"
        tests "${venvs[i]}" "${core[@]}"
    fi
done
rm -rf "$SWCM_EXCHANGE"
say "passed: Python ${versions[*]}"
