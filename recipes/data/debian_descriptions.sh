#!/usr/bin/env bash
# Summarization data from Debian: the long description of a package and its one-line synopsis, in English and in the
# languages that its translators brought them into.
#
# Usage     bash recipes/data/debian_descriptions.sh OUT_DIR
# Inputs    the lists of descriptions of Debian 12 (main), which apt downloads and whose signature it checks (no root
#           needed, nothing is installed or changed; the system's own sources are not asked).
#   LANGS     languages beside English ("ru uk pl zh"); also de fr it da ja pt sk ko cs es, which have more than 2,000
#             packages in Debian 12, and sr fi nl with hundreds
#   VALID, TEST, MAX_TRAIN   packages a language for validation, for the test (100, 200), and at most for training (8000)
#   SEED      of the split (1)
#   DEBIAN_MIRROR      where apt fetches from (https://deb.debian.org/debian)
#   DEBIAN_KEYRING     the keys of Debian's archive (/usr/share/keyrings/debian-archive-keyring.gpg)
#   SWCM_DEBIAN_DIR    a folder with the lists downloaded already (Translation-en, Translation-zh_CN, ...); apt is not
#                      called then
#   FORCE=1   make a finished output again
# Output    OUT_DIR/XX/{train,valid,test}.text-summary.{text,summary}, line by line a description and its synopsis, clean,
#           for each language XX and en; OUT_DIR/XX/{train,valid,test}.packages, the packages' names, by which languages
#           are joined; OUT_DIR/counts.json, and OUT_DIR/lists.txt: sha256 of every list.
#           Held-out packages are the same in all languages as far as they have them, one of a family. Nothing that is
#           held out is in training in any language, nor a package of the same family or with nearly the same text.
# Hardware  any; 150 MB of disk while it runs.
# Time      20 seconds of one processor and the download of 7 MB.
# Expect    from Debian 12.15: training packages 8,000 en, 2,364 ru, 3,091 uk, 2,604 pl, 490 zh; 100 and 200 held out in
#           each. Other point releases give other counts. Descriptions are under their packages' licences.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${LANGS=ru uk pl zh}"
: "${VALID:=100}"
: "${TEST:=200}"
: "${MAX_TRAIN:=8000}"
: "${SEED:=1}"
: "${DEBIAN_MIRROR:=https://deb.debian.org/debian}"
: "${DEBIAN_KEYRING:=/usr/share/keyrings/debian-archive-keyring.gpg}"
: "${SWCM_DEBIAN_DIR:=}"
[ $# -eq 1 ] || usage_error "bash recipes/data/debian_descriptions.sh OUT_DIR"
out=$1

# The point release that the expected counts belong to.
known_version=12.15
known_sha256() {
    case $1 in
    en) echo 62f59c3cdca9786e4f7adf9002f9f5729a684adcb4667e58e448dec9b5a46c7f ;;
    pl) echo 2cbf30bbcc0996040301104f88ab3d950b37d2fc7067cbc6f66e62b5245ba264 ;;
    ru) echo 150a6c5b969a2856ffb16908306ac2328ad61131df343a7e6418ebdc1a86c9bd ;;
    uk) echo a1e9e092c9ef84e12dd7eb1be3819deb3209e3bc4cec0671beb78f3351d026a3 ;;
    zh) echo 53d04c0b9a75c9519afc6a1919af6d6cfd9012bb7a18bf110a169fd67c6cc4ef ;;
    esac
}

# Debian's code for one of ours.
code_of() {
    case $1 in
    zh) echo zh_CN ;;
    pt) echo pt_BR ;;
    *) echo "$1" ;;
    esac
}

# download FOLDER LANGUAGE...: Translation-XX of each into FOLDER, and its point release into FOLDER/version.
download() {
    local folder=$1 language codes=() instead="SWCM_DEBIAN_DIR=FOLDER with the lists brings them from elsewhere"
    shift
    command -v apt-get >/dev/null 2>&1 || die "apt is not installed, and the descriptions come by it; $instead"
    [ -e "$DEBIAN_KEYRING" ] ||
        die "DEBIAN_KEYRING: $DEBIAN_KEYRING is missing (apt install debian-archive-keyring); or $instead"
    for language in "$@"; do codes+=("$(code_of "$language")"); done
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    printf 'deb [target=Translations lang=%s signed-by=%s] %s bookworm main\n' \
        "$(commas "${codes[@]}")" "$DEBIAN_KEYRING" "$DEBIAN_MIRROR" >"$folder/sources.list"
    # A list that cannot be fetched is a warning of apt's, and its exit is 0.
    if ! apt-get -qq -o APT::Sandbox::User="$(id -un)" -o Acquire::GzipIndexes=false \
        -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" update >"$folder/apt.log" 2>&1 ||
        grep -q '^[EW]:' "$folder/apt.log"; then
        die "apt could not fetch Debian's lists: $(grep '^[EW]:' "$folder/apt.log" | head -n 1 || true); or $instead"
    fi
    sed -n 's/^Version: //p' "$folder"/lists/*_InRelease >"$folder/version"
    for language in "${codes[@]}"; do
        # apt writes an underscore in a code as %5f.
        mv "$folder"/lists/*_main_i18n_"Translation-${language/_/%5f}" "$folder/Translation-$language" 2>/dev/null ||
            die "LANGS: Debian 12 has no descriptions in ${language}"
    done
}

done_already "$out/counts.json" "descriptions in $out" && exit 0
case $DEBIAN_MIRROR in
http://*) usage_error "DEBIAN_MIRROR=$DEBIAN_MIRROR is plain http; name one with https://" ;;
esac
use_environment
mkdir -p "$(dirname "$out")"
# Absolute: apt takes a relative folder for one under its own.
work=$(mktemp -d "$(cd "$(dirname "$out")" && pwd)/.descriptions.XXXXXX")
trap 'rm -rf "$work"' EXIT

read -r -a languages <<<"en $LANGS "
folder=${SWCM_DEBIAN_DIR:-$work}
if [ -z "$SWCM_DEBIAN_DIR" ]; then
    say "downloading Debian's descriptions in ${languages[*]}"
    download "$work" "${languages[@]}"
fi
missing=
for language in "${languages[@]}"; do
    [ -f "$folder/Translation-$(code_of "$language")" ] || missing+=" Translation-$(code_of "$language")"
done
[ -z "$missing" ] || die "SWCM_DEBIAN_DIR: $folder lacks$missing"

version=$(cat "$folder/version" 2>/dev/null || echo unknown)
files=()
for language in "${languages[@]}"; do
    file=$folder/Translation-$(code_of "$language")
    files+=("$language=$file")
    printf 'Translation-%s %s %s\n' "$(code_of "$language")" "$version" "$(sha256_of "$file")" >>"$work/lists.txt"
    check_version "$file" "the descriptions in $language are of Debian" "$version" "$known_version" "$(known_sha256 "$language")"
done
"$SWCM_PY" "$SWCM_ROOT/recipes/data/debian_descriptions.py" \
    --translations "${files[@]}" --out "$out" --valid "$VALID" --test "$TEST" --max-train "$MAX_TRAIN" --seed "$SEED" \
    "${force[@]+"${force[@]}"}"
mv "$work/lists.txt" "$out/lists.txt"
