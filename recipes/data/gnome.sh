#!/usr/bin/env bash
# Parallel text from the translations of GNOME's programs and libraries, which Debian and Ubuntu package: a program's
# messages, as LibreOffice's are, but other programs'. For tests of models that learnt from LibreOffice.
#
# Usage     bash recipes/data/gnome.sh OUT_DIR
# Inputs    the packages below, which apt downloads (no root needed, nothing is installed).
#   PIVOT     the language on the first side (zh)
#   LANGS     the languages on the second side ("kk mn ug")
#   SWCM_GNOME_DIR   a folder with the packages (*.deb) downloaded already; apt is not called then
#   FORCE=1   make finished pairs again
# Output    OUT_DIR/zh-kk.zh, OUT_DIR/zh-kk.kk (line by line each other's translation, raw) and
#           OUT_DIR/zh-kk.counts.json for each language; OUT_DIR/packages.txt: name, version, sha256.
# Hardware  any; 20 MB of disk for the downloads, 100 MB while it runs.
# Time      10 seconds and the download of 14 MB.
# Expect    from Debian 12.15: 6,527 pairs zh-kk, 2,508 zh-mn, 5,321 zh-ug. Other versions give other counts. The text is under
#           the programs' licences (GPL, LGPL). It is programs' messages: clean it with --catalogue.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/debian.sh
. "$SWCM_ROOT/recipes/lib/debian.sh"

: "${PIVOT:=zh}"
: "${LANGS:=kk mn ug}"
: "${SWCM_GNOME_DIR:=}"
[ $# -eq 1 ] || usage_error "bash recipes/data/gnome.sh OUT_DIR"
out=$1

packages=(evince-common gedit-common gnome-control-center-data libglib2.0-data libgtk-3-common libgtk2.0-common nautilus-data)

# Debian's code for one of ours.
locale_of() { if [ "$1" = zh ]; then echo zh_CN; else echo "$1"; fi; }

# shellcheck disable=SC2086
wanted_pairs "$out" "$PIVOT" $LANGS
[ ${#wanted[@]} -gt 0 ] || exit 0

use_environment
mkdir -p "$out"
# Absolute: apt takes a relative folder for one under its own.
work=$(mktemp -d "$(cd "$out" && pwd)/.gnome.XXXXXX")
trap 'rm -rf "$work"' EXIT

instead="give SWCM_GNOME_DIR=FOLDER with the .deb files"
packages_in SWCM_GNOME_DIR "$work" "${packages[@]}"
for package in "${packages[@]}"; do
    file=$(package_file "$folder" "$package")
    [ -n "$file" ] || die "$folder lacks ${package}_VERSION_all.deb; 'apt-get download $package' fetches it on Debian or Ubuntu"
    record_package "$work/packages.txt" "$package" "$file"
    unpack_package "$file" "$work/unpacked"
done
for language in "${wanted[@]}"; do
    "$SWCM_PY" "$SWCM_ROOT/recipes/data/read_gettext.py" \
        --pivot "$PIVOT" --pivot-dir "$work/unpacked/usr/share/locale/$(locale_of "$PIVOT")" \
        --target "$language" --target-dir "$work/unpacked/usr/share/locale/$(locale_of "$language")" \
        --out "$out/$PIVOT-$language" "${force[@]+"${force[@]}"}"
done
keep_record "$work/packages.txt" "$out"
