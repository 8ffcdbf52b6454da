# shellcheck shell=bash
# Which Pythons a machine has; to be sourced.

# version_of PYTHON: its version, such as 3.11; false where it does not run.
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# pythons VERSION...: what may be a Python of these versions, one a line: by name, then as pyenv keeps them (its shims
# fail for versions that are not switched on).
pythons() {
    local version folder
    for version in "$@"; do
        printf '%s\n' "python$version"
        for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*; do
            [ ! -x "$folder/bin/python" ] || printf '%s\n' "$folder/bin/python"
        done
    done
    printf '%s\n' python3 python
}

# python_of VERSION: a Python of this version that can make environments; false where there is none.
python_of() {
    local candidate
    while read -r candidate; do
        if [ "$(version_of "$candidate")" = "$1" ] && "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(pythons "$1")
    return 1
}
