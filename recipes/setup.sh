#!/usr/bin/env bash
# Makes the virtual environment with everything the project needs, torch first, versions pinned.
#
# Inputs    a Python from 3.8 to 3.13 with venv, and the package index that pip is set up for.
#   SWCM_VENV    where the environment goes (.venv in the checkout)
#   SWCM_PYTHON  the Python to use (default: the first of 3.11, 3.12, 3.8, 3.13, 3.10, 3.9 that is found)
#   SWCM_TORCH   what pip is told to install as torch, to choose a build for a GPU, for example
#                "torch==2.6.0 --index-url URL" (default: the pin in recipes/lib/constraints-*.txt)
#   SWCM_EXTRAS  extras of setup.py (test,tensorboard)
#   SWCM_WHEELS  where a fairseq that was built here is kept (~/.cache/swcm-fairseq)
#   fairseq comes as a wheel for Linux on x86-64 with Python 3.11, 3.12 and 3.8. Elsewhere (other Pythons, ARM, macOS) it
#   is built from source, which wants a C++ compiler and Python's headers. Windows: within its Linux subsystem.
# Output    the environment, with the package installed in editable form; its setup.log is pip's whole output.
# Hardware  any; 2 GB of disk, 6 GB where torch comes with CUDA.
# Time      2 to 5 minutes, 4 more where fairseq is built; a second run, nothing changed, well under a second.
# Expect    a last line that names the versions of Python, torch and fairseq. Of several that are started at once for one
#           environment, one makes it and the others wait.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/pythons.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/pythons.sh"

: "${SWCM_PYTHON:=}"
: "${SWCM_TORCH:=}"
: "${SWCM_EXTRAS:=test,tensorboard}"
: "${SWCM_WHEELS:=${XDG_CACHE_HOME:-$HOME/.cache}/swcm-fairseq}"
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

with_wheels=(3.11 3.12 3.8)
built=(3.13 3.10 3.9)

# supported VERSION: fairseq can be had for it here.
supported() {
    local one
    for one in "${with_wheels[@]}" "${built[@]}"; do [ "$one" != "$1" ] || break; done
    # Of 3.8 there is the wheel alone.
    [ "$one" = "$1" ] && { [ "$1" != 3.8 ] || has_wheel 3.8; }
}

# has_wheel VERSION: fairseq need not be built for it.
has_wheel() { [[ " ${with_wheels[*]} " == *" $1 "* ]] && [ "$(uname -s) $(uname -m)" = "Linux x86_64" ]; }

# Sets $python and $version.
find_python() {
    local candidate without_venv=
    if [ -n "$SWCM_PYTHON" ]; then
        version=$(version_of "$SWCM_PYTHON") || die "SWCM_PYTHON: '$SWCM_PYTHON' does not run"
        supported "$version" ||
            die "SWCM_PYTHON: $SWCM_PYTHON is Python $version; fairseq can be had for 3.9 to 3.13 (on Linux x86-64 3.8 too)." \
                "Models that swcm-export writes run anywhere"
        "$SWCM_PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
            die "SWCM_PYTHON: $SWCM_PYTHON has no venv module (on Debian: apt install python$version-venv)"
        python=$SWCM_PYTHON
        return
    fi
    while read -r candidate; do
        version=$(version_of "$candidate") || continue
        supported "$version" || continue
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            return
        fi
        without_venv=$version
    done < <(pythons "${with_wheels[@]}" "${built[@]}")
    [ -z "$without_venv" ] ||
        die "Python $without_venv is here, but without its venv module (on Debian: apt install python$without_venv-venv)"
    die "no Python from 3.9 to 3.13 found;" \
        "install one (apt install python3.11 python3.11-venv, or pyenv install 3.11) or name it in SWCM_PYTHON"
}

# What building fairseq needs, before anything is fetched.
check_compiler() {
    local hint="apt install g++" headers
    [ "$(uname -s)" != Darwin ] || hint="xcode-select --install"
    command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 ||
        die "fairseq has no wheel for Python $version on $(uname -s) $(uname -m) and must be built, but there is no C++" \
            "compiler ($hint). A Python 3.11 or 3.12 on Linux x86-64 needs none; models of swcm-export run anywhere"
    headers=$("$python" -c 'import os, sysconfig; p = sysconfig.get_path("include"); print("" if os.path.exists(os.path.join(p, "Python.h")) else p)')
    [ -z "$headers" ] ||
        die "fairseq must be built for Python $version, but Python.h is not in $headers (on Debian: apt install python$version-dev)"
}

# build_fairseq: its wheel for this Python and torch, whose compiled parts it links, in $wheels, where it stays.
build_fairseq() {
    wheels=$SWCM_WHEELS/python$version-torch$installed-$(uname -s)-$(uname -m)
    if compgen -G "$wheels/fairseq_fixed-*.whl" >/dev/null; then
        say "fairseq, built earlier: $wheels"
        return
    fi
    pip_install "what fairseq is built with" -c "$pins" Cython numpy
    say "building fairseq for Python $version (about 4 minutes)"
    mkdir -p "$wheels"
    # Without CUDA_HOME its GPU kernels are left out, which nothing here uses.
    env -u CUDA_HOME "$SWCM_PY" -m pip wheel --verbose --no-deps --no-build-isolation --no-input --progress-bar off \
        --disable-pip-version-check --wheel-dir "$wheels.part" "fairseq-fixed==$(fairseq_source)" 2>&1 | tee -a "$log" |
        awk '/building .* extension/ { sub(/.*building/, "building"); print "    " $0; fflush() }' ||
        die "fairseq could not be built; what the compiler said is in $log"
    mv "$wheels.part"/fairseq_fixed-*.whl "$wheels"
    rm -rf "$wheels.part"
}

# fairseq_source: the version that setup.py names.
fairseq_source() { sed -n 's/.*fairseq-fixed==\([0-9.]*\).*/\1/p' "$SWCM_ROOT/setup.py" | head -n 1; }

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
    refuse_in_use
    say "making $SWCM_VENV with Python $version ($python)"
    "$python" -m venv --clear "$SWCM_VENV" || die "'$python -m venv' failed; see above"
}

# refuse_in_use: an environment that something runs in is not taken away from under it.
refuse_in_use() {
    local user users
    users=$(for user in /proc/[0-9]*; do
        # The list is older than each look into it: some are gone.
        if { tr '\0' '\n' <"$user/cmdline"; } 2>/dev/null | head -n 2 | grep -q "^$SWCM_VENV/bin/"; then
            printf '%s ' "${user##*/}"
        fi
    done)
    if [ -n "$users" ] || ! try_lock 7 "$SWCM_VENV.used"; then
        die "$SWCM_VENV must be made anew, but is in use${users:+ (process ${users% })};" \
            "wait for the end of that, or set SWCM_VENV to another place"
    fi
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

# One at a time for each environment; what another has just made will do.
mkdir -p "$(dirname "$SWCM_VENV")"
if ! try_lock 8 "$SWCM_VENV.lock"; then
    say "another setup is at work on $SWCM_VENV; waiting for it"
    wait_for_lock 8
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_text)" ]; then
        exit 0
    fi
fi

find_python
case $version in
3.8 | 3.9 | 3.10) constraints=$SWCM_ROOT/recipes/lib/constraints-py${version//./}.txt ;;
*) constraints=$SWCM_ROOT/recipes/lib/constraints-py311.txt ;;
esac
has_wheel "$version" || check_compiler
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
# The fairseq that is built asks for one version of these itself.
has_wheel "$version" || sed -i.all -e '/^hydra-core==/d' -e '/^omegaconf==/d' "$pins"

# Without build isolation: the dependencies that come as source would each fetch a setuptools of their own, unpinned.
pip_install setuptools -c "$pins" setuptools wheel
wheels=
has_wheel "$version" || build_fairseq
pip_install "fairseq and the package" -c "$pins" ${wheels:+--find-links "$wheels"} --no-build-isolation --use-pep517 -e "${SWCM_ROOT}[$SWCM_EXTRAS]"

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
