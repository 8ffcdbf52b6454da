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

# version_of FILE: of a package's file, by its name.
version_of() {
    local version
    version=$(basename "$1" .deb)
    version=${version#*_}
    version=${version%_*}
    printf '%s\n' "${version//%3a/:}"
}
