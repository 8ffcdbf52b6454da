# shellcheck shell=bash
# Debian's packages: how the recipes fetch and unpack them; to be sourced after common.sh.

: "${instead:=}" # what messages say can be done where apt fails

# apt_here OPTIONS...: apt-get with its warning about the user _apt left out; it is harmless here.
apt_here() { apt-get -qq -o APT::Sandbox::User="$(id -un)" "$@"; }

# download_packages FOLDER PACKAGE...: with the system's package lists, or, where they are missing, with lists of our own,
# which need no root.
download_packages() {
    local folder=$1 lists
    shift
    command -v apt-get >/dev/null 2>&1 ||
        die "apt is not installed, and $(commas "$@") come by it; $instead"
    if (cd "$folder" && apt_here download "$@") >"$folder/apt.log" 2>&1; then return; fi
    say "the system's package lists are missing or out of date: fetching lists into a folder of our own"
    lists=$folder/apt
    mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
    set -- -o "Dir::State::Lists=$lists/lists" -o "Dir::Cache=$lists/cache" download "$@"
    if ! { apt_here "${@:1:4}" -o Acquire::Languages=none update && (cd "$folder" && apt_here "$@"); } \
        >>"$folder/apt.log" 2>&1; then
        grep '^E:' "$folder/apt.log" | tail -n 1 >&2 || true
        die "apt could not download ${*:6}; is the network there, and 'main' in apt's sources? Or $instead"
    fi
}

# unpack_package FILE FOLDER
unpack_package() {
    mkdir -p "$2"
    if command -v dpkg >/dev/null 2>&1; then
        dpkg -x "$1" "$2"
    elif command -v ar >/dev/null 2>&1; then
        ar p "$1" data.tar.xz | tar -xJf - -C "$2"
    else
        die "unpacking .deb files needs dpkg, or ar (binutils) with tar and xz; or give line-aligned files in their place"
    fi || die "$1 cannot be unpacked: is the download whole?"
}

# wanted_pairs OUT PIVOT LANGUAGE...: sets the array wanted to the languages whose pair with PIVOT is not in OUT yet.
wanted_pairs() {
    local out=$1 pivot=$2 language
    shift 2
    wanted=()
    for language in "$@"; do
        done_already "$out/$pivot-$language.counts.json" "pair $pivot-$language" || wanted+=("$language")
    done
}

# packages_in VARIABLE WORK PACKAGE...: sets folder to where the packages lie: the folder that VARIABLE names, or WORK, into
# which they are downloaded.
packages_in() {
    local variable=$1 work=$2
    folder=${!variable:-$work}
    shift 2
    if [ -z "${!variable}" ]; then
        say "downloading $*"
        download_packages "$work" "$@"
    elif [ ! -d "$folder" ]; then
        die "$variable: $folder is no folder"
    fi
}

# package_file FOLDER PACKAGE: its file there, the newest when there are several; nothing where there is none.
package_file() { find "$1" -maxdepth 1 -name "$2_*.deb" | sort | tail -n 1; }

# record_package LIST PACKAGE FILE: a line of LIST: name, version, sha256.
record_package() { printf '%s %s %s\n' "$2" "$(version_of "$3")" "$(sha256_of "$3")" >>"$1"; }

# keep_record LIST OUT: OUT/packages.txt, which has the lines of LIST; packages of an earlier run keep theirs.
keep_record() {
    [ ! -e "$2/packages.txt" ] || cat "$2/packages.txt" >>"$1"
    sort -u -o "$1" "$1"
    mv "$1" "$2/packages.txt"
}

# version_of FILE: of a package's file, by its name.
version_of() {
    local version
    version=$(basename "$1" .deb)
    version=${version#*_}
    version=${version%_*}
    printf '%s\n' "${version//%3a/:}"
}
