#!/usr/bin/env bash
# An encoder of XLM-R's kind from a model hub: xlm-roberta-base, hfl/cino-base-v2, intfloat/multilingual-e5-small
# and the like, as the encoder folder that every later stage reads.
#
#   recipes/encoders/hub.sh NAME OUT_DIR [REVISION]
#
# Inputs:   the hub's config.json, SentencePiece model and weights (safetensors preferred, else pytorch_model.bin,
#           whole or in shards), over plain HTTPS. HF_ENDPOINT names another hub. REVISION is a branch, tag or
#           commit (main); give a commit where a result must be repeated.
# Outputs:  OUT_DIR/{config.json,model.safetensors,sentencepiece.bpe.model,prune.json}; heads and surplus rows cut.
#           What was fetched waits in OUT_DIR.download until that is whole, so a second run goes on from there.
# Hardware: any; memory of about twice the weights. Time: the download's (xlm-roberta-base: 1.1 GB).
# Expect:   a line with rows, layers and parameters; xlm-roberta-base has 250002 rows and 12 layers.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${HF_ENDPOINT:=https://huggingface.co}"
export HF_ENDPOINT

[ $# -eq 2 ] || [ $# -eq 3 ] || usage_error "recipes/encoders/hub.sh NAME OUT_DIR [REVISION]"
name=$1
out=${2%/}
revision=${3:-main}
[ -n "$out" ] || usage_error "OUT_DIR is empty"

done_already "$out/config.json" "encoder in $out" && exit 0
use_environment

download=$out.download
# Files of another model or revision must not be taken for this one's.
wanted="$HF_ENDPOINT $name $revision"
if [ -e "$download" ]; then
    [ -f "$download/wanted" ] || die "$download is in the way and not of this recipe's making; move it"
    [ "$(cat "$download/wanted")" = "$wanted" ] || rm -rf "$download"
fi
mkdir -p "$download"
printf '%s\n' "$wanted" >"$download/wanted"

say "fetching $name ($revision) from $HF_ENDPOINT"
"$SWCM_PY" "$SWCM_ROOT/recipes/encoders/hub.py" --name "$name" --revision "$revision" --out "$download"

say "writing the encoder folder $out"
preprocess prune_encoder --encoder "$download" --out "$out"
rm -rf "$download"
