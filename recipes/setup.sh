#!/usr/bin/env bash
# Makes the virtual environment with everything the project needs, torch first, versions pinned.
#
# Inputs    a Python 3.11, 3.12 or 3.8 with venv, and the package index that pip is set up for.
#   SWCM_VENV    where the environment goes (.venv in the checkout)
#   SWCM_PYTHON  the Python to use (default: the first of 3.11, 3.12, 3.8 that is found)
#   SWCM_TORCH   what pip is told to install as torch, to choose a build for a GPU, for example
#                "torch==2.6.0 --index-url URL" (default: the pin in recipes/lib/constraints-*.txt)
#   SWCM_EXTRAS  extras of setup.py (test,plots)
# Output    the environment, with the package installed in editable form; its setup.log is pip's whole output.
# Hardware  any; 2 GB of disk, 6 GB where torch comes with CUDA.
# Time      2 to 5 minutes; a second run, nothing changed, well under a second.
# Expect    a last line that names the versions of Python, torch and fairseq.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/pythons.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/pythons.sh"

: "${SWCM_PYTHON:=}"
: "${SWCM_TORCH:=}"
: "${SWCM_EXTRAS:=test,plots}"
[ $# -eq 0 ] || usage_error "recipes/setup.sh takes no arguments; its settings are SWCM_VENV, SWCM_PYTHON, SWCM_TORCH"

stamp=$SWCM_VENV/swcm-setup.stamp
log=$SWCM_VENV/setup.log

# What the environment was made from; the same text means that there is nothing to do.
fingerprint() {
    {
        printf '%s\n' "$SWCM_ROOT" "$SWCM_VENV" "$SWCM_PYTHON" "$SWCM_TORCH" "$SWCM_EXTRAS"
        cat "$SWCM_ROOT/setup.py" "$SWCM_ROOT/swcm_fairseq/version.py" "$SWCM_ROOT/recipes/setup.sh" \
            "$SWCM_ROOT/recipes/lib/pythons.sh" "$SWCM_ROOT"/recipes/lib/constraints-*.txt
    } | cksum
}

# Sets $python and $version.
find_python() {
    local candidate without_venv=
    if [ -n "$SWCM_PYTHON" ]; then
        version=$(version_of "$SWCM_PYTHON") || die "SWCM_PYTHON: '$SWCM_PYTHON' does not run"
        case $version in
        3.8 | 3.11 | 3.12) ;;
        *) die "SWCM_PYTHON: $SWCM_PYTHON is Python $version; fairseq has wheels for 3.11, 3.12 and 3.8 only" ;;
        esac
        "$SWCM_PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
            die "SWCM_PYTHON: $SWCM_PYTHON has no venv module (on Debian: apt install python$version-venv)"
        python=$SWCM_PYTHON
        return
    fi
    while read -r candidate; do
        version=$(version_of "$candidate") || continue
        case $version in 3.8 | 3.11 | 3.12) ;; *) continue ;; esac
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            return
        fi
        without_venv=$version
    done < <(pythons 3.11 3.12 3.8)
    [ -z "$without_venv" ] ||
        die "Python $without_venv is here, but without its venv module (on Debian: apt install python$without_venv-venv)"
    die "no Python 3.11, 3.12 or 3.8 found, and fairseq has wheels for no other;" \
        "install one (apt install python3.11 python3.11-venv, or pyenv install 3.11) or name it in SWCM_PYTHON"
}

# An environment is built upon when it was finished with the same Python and torch, or when the user made it.
make_venv() {
    local there=none
    if [ -x "$SWCM_PY" ]; then
        there=$(version_of "$SWCM_PY") || there="that does not run"
    fi
    if [ "$there" = "$version" ] && "$SWCM_PY" -m pip --version >/dev/null 2>&1; then
        if [ ! -e "$log" ] || [ "$(head -n 1 "$stamp" 2>/dev/null)" = "torch: $SWCM_TORCH" ]; then
            return
        fi
    fi
    # Only what this recipe made is cleared.
    if [ ! -e "$log" ] && [ -e "$SWCM_VENV" ] && [ -n "$(ls -A "$SWCM_VENV")" ]; then
        die "$SWCM_VENV is there, and no environment of this recipe (its Python: $there, wanted: $version);" \
            "remove it or set SWCM_VENV to another place"
    fi
    say "making $SWCM_VENV with Python $version ($python)"
    "$python" -m venv --clear "$SWCM_VENV" || die "'$python -m venv' failed; see above"
}

# pip_install WHAT ARGUMENTS: what pip collects is shown, a line each, and all it says goes to the log.
pip_install() {
    local what=$1
    shift
    say "$what"
    "$SWCM_PY" -m pip install --no-input --disable-pip-version-check --progress-bar off "$@" 2>&1 | tee -a "$log" |
        awk '/^(Collecting|ERROR|error:)/ { sub(/ \(from .*/, ""); print "    " $0; fflush() }' ||
        die "pip could not install $what; all it said is in $log"
}

stamp_text() { printf 'torch: %s\n%s\n' "$SWCM_TORCH" "$(fingerprint)"; }

if [ -x "$SWCM_PY" ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_text)" ] && "$SWCM_PY" -c pass; then
    exit 0
fi

find_python
case $version in
3.8) constraints=$SWCM_ROOT/recipes/lib/constraints-py38.txt ;;
*) constraints=$SWCM_ROOT/recipes/lib/constraints-py311.txt ;;
esac
make_venv
rm -f "$stamp"
: >"$log"
pins=$SWCM_VENV/constraints.txt

# omegaconf 2.0.6, which fairseq 0.12.2 needs, has metadata that pip refuses from 24.1 on.
if [ "$version" = 3.8 ]; then
    pip_install "pip below 24.1" "pip<24.1"
fi

if [ -z "$SWCM_TORCH" ]; then
    pip_install torch -c "$constraints" torch
    grep -v '^torch==' "$constraints" >"$pins"
else
    read -r -a torch <<<"$SWCM_TORCH"
    pip_install "$SWCM_TORCH" "${torch[@]}"
    # Another torch brings other versions of what it needs: they, and its companion torchaudio, are not pinned.
    "$SWCM_PY" -m pip freeze --all |
        awk -F== 'NR == FNR { brought[tolower($1)]; next } !(tolower($1) in brought) && $1 !~ /^torch(audio)?$/' \
            - "$constraints" >"$pins"
fi
# Whichever it is, nothing that follows may replace it.
# (The version is pip's: torch's own word may say +cu102 where pip knows none.)
installed=$("$SWCM_PY" -c 'import importlib.metadata, torch; print(importlib.metadata.version("torch"))' 2>>"$log") ||
    die "torch does not start; see $log"
printf 'torch==%s\n' "$installed" >>"$pins"

# Without build isolation: the dependencies that come as source would each fetch a setuptools of their own, unpinned.
pip_install setuptools -c "$pins" setuptools wheel
pip_install "fairseq and the package" -c "$pins" --no-build-isolation --use-pep517 -e "${SWCM_ROOT}[$SWCM_EXTRAS]"

# fairseq's speech tasks alone want torchaudio. The index may hold it for CUDA only, and one that does not load
# breaks transformers, which imports it where it is installed.
if ! "$SWCM_PY" -c 'import torchaudio' 2>>"$log"; then
    "$SWCM_PY" -m pip uninstall --yes torchaudio >>"$log" 2>&1
fi

versions=$("$SWCM_PY" -c '
import platform, fairseq, torch
print("Python %s, torch %s, fairseq %s" % (platform.python_version(), torch.__version__, fairseq.__version__))
' 2>>"$log" | tail -n 1) || die "the environment was installed but does not start; see $log"
stamp_text >"$stamp"
say "ready: $versions in $SWCM_VENV"
