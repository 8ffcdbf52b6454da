#!/usr/bin/env bash
# Parallel text from the translations of LibreOffice, which Debian and Ubuntu package: Chinese with Kazakh,
# Mongolian and Uyghur, or any of about a hundred other languages.
#
# Usage     bash recipes/data/libreoffice.sh OUT_DIR
# Inputs    the packages libreoffice-l10n-XX, which apt downloads (no root needed, nothing is installed).
#   PIVOT     the language on the first side (zh)
#   LANGS     the languages on the second side ("kk mn ug")
#   SWCM_LIBREOFFICE_DIR   a folder with the packages (*.deb) downloaded already; apt is not called then
#   FORCE=1   make finished pairs again
# Output    OUT_DIR/zh-kk.zh, OUT_DIR/zh-kk.kk (line by line each other's translation, raw) and
#           OUT_DIR/zh-kk.counts.json for each language; OUT_DIR/packages.txt: name, version, sha256.
# Hardware  any; 10 MB of disk.
# Time      10 seconds and the download of 3 MB.
# Expect    with version 4:7.4.7-1+deb12u14: 25,557 pairs zh-kk, 18,267 zh-mn, 13,344 zh-ug. Other versions give
#           other counts. The text is under MPL-2.0. It is a program's messages: clean it with --catalogue.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/debian.sh
. "$SWCM_ROOT/recipes/lib/debian.sh"

: "${PIVOT:=zh}"
: "${LANGS:=kk mn ug}"
: "${SWCM_LIBREOFFICE_DIR:=}"
[ $# -eq 1 ] || usage_error "bash recipes/data/libreoffice.sh OUT_DIR"
out=$1

# The version that the expected counts belong to.
known_version=4:7.4.7-1+deb12u14
known_sha256() {
    case $1 in
    am) echo 814d9d6457f5f89f17b90007f8efa4c5b0b48f4a6b33d092180a5c2297881c40 ;;
    be) echo 8b7de4fb0acfc90648d03318267722436419fd38ce37e98b684602730659108a ;;
    cy) echo bf09f6e1c15de255f188d55a6823538b9654e59ceb45964492d36ec4de9d1a18 ;;
    dz) echo b546972bb970e1b6701f598a22bb7a764f43dff14af4269c17a870a7bb61b1b4 ;;
    eu) echo f2980834656f74878af749c273599961b4d4de2ca46c4c8329ed7789a8202b96 ;;
    gl) echo 7a01fd75b801d6fef9d026b0b94a0bcdee30f42738c29a55c4cc2483455a16db ;;
    gn) echo 910868f310844958c8b4c5d54c21bbfda0fa87151ebea215bb058d65fc72690a ;;
    ka) echo b4be8cbc79b1cfe2c86a157d3f882bb2971deaaef81b6d26f201eb143a2ee1f1 ;;
    kk) echo fcec648c202c3fa4017fd6b8585edb7d00524c08facf0f8d983c9d0015ea7aac ;;
    km) echo a47df1c3d11242ec4dd194667a23a8f3e3b634f0bda9e2374dfa04f735c238fa ;;
    mn) echo 308c46753973b714385dbd1bdee231be3c507cd5baf91a4afbd77202dcf98d77 ;;
    ne) echo d21f265d52cd9dc0125505e0b9535e107231e53ed2aebf16c8ded696dd624eef ;;
    or) echo 2a008a39f3e804eea263741a4b3730d96e2bc82d5f9181fbf43052a1ab276467 ;;
    si) echo dd13af5b12614f0764e1ea32a14fbf99c556a61e5286e060704b5785c7b87c14 ;;
    tg) echo a3a7ae580ad27c954623f444e090d33619815335df4033ad30caa5ba1aa8987b ;;
    ug) echo d74724bacaabe7ec77b13ebf824e6b3241dabc1e00a945be741c9acf8cfcc79a ;;
    uz) echo 4c12e1a98468d41a6fa8a3c65bf21bbf6995e6e63b960d59e9e544aa15eb7739 ;;
    zh) echo 06b2800923811a11ddadc9e1e09ef8bda2a89ba118470403b2f6a897152e0809 ;;
    zu) echo a325cd12d90c6d19e89ef25517f06e5d852ca58b3139aeb3977d41b81b6fb263 ;;
    esac
}

package_of() {
    case $1 in
    zh) echo libreoffice-l10n-zh-cn ;;
    gn) echo libreoffice-l10n-gug ;;
    *) echo "libreoffice-l10n-$1" ;;
    esac
}

instead="give two line-aligned files per language in its place, or SWCM_LIBREOFFICE_DIR=FOLDER with the .deb files"

# shellcheck disable=SC2086
wanted_pairs "$out" "$PIVOT" $LANGS
[ ${#wanted[@]} -gt 0 ] || exit 0

use_environment
mkdir -p "$out"
# Absolute: apt takes a relative folder for one under its own.
work=$(mktemp -d "$(cd "$out" && pwd)/.libreoffice.XXXXXX")
trap 'rm -rf "$work"' EXIT

packages=()
for language in "$PIVOT" "${wanted[@]}"; do packages+=("$(package_of "$language")"); done
packages_in SWCM_LIBREOFFICE_DIR "$work" "${packages[@]}"

missing=
for package in "${packages[@]}"; do
    [ -n "$(package_file "$folder" "$package")" ] || missing+=" ${package}_VERSION_all.deb"
done
[ -z "$missing" ] || die "$folder lacks$missing; 'apt-get download PACKAGE' fetches one on Debian or Ubuntu"

for language in "$PIVOT" "${wanted[@]}"; do
    package=$(package_of "$language")
    file=$(package_file "$folder" "$package")
    record_package "$work/packages.txt" "$package" "$file"
    check_version "$file" "$language is version" "$(version_of "$file")" "$known_version" "$(known_sha256 "$language")"
    unpack_package "$file" "$work/$language"
done
for language in "${wanted[@]}"; do
    "$SWCM_PY" "$SWCM_ROOT/recipes/data/read_gettext.py" \
        --pivot "$PIVOT" --pivot-dir "$work/$PIVOT" --target "$language" --target-dir "$work/$language" \
        --out "$out/$PIVOT-$language" "${force[@]+"${force[@]}"}"
done
keep_record "$work/packages.txt" "$out"
