# shellcheck shell=bash
# The steps between clean text and binarized data, as the recipes share them; to be sourced after common.sh.

# prune_encoder FROM TO FILES... [FLAGS OF preprocess/prune_encoder.py]: the folder TO, which is the encoder folder FROM
# with the pieces of FILES and the layers KEEP_LAYERS alone (empty: all). MIN_COUNT leaves out pieces that are rarer.
prune_encoder() {
    local from=$1 to=$2
    shift 2
    done_already "$to/config.json" "encoder" ||
        preprocess prune_encoder --encoder "$from" --out "$to" \
            ${KEEP_LAYERS:+--keep-layers "$KEEP_LAYERS"} ${MIN_COUNT:+--min-count "$MIN_COUNT"} --corpus "$@"
}

# encoder_and_dict FROM OUT LANGS FILES... [FLAGS]: OUT/encoder, as of prune_encoder, and OUT/dict.txt, its dictionary
# with the tags of LANGS (joined by commas).
encoder_and_dict() {
    local from=$1 out=$2 langs=$3
    shift 3
    prune_encoder "$from" "$out/encoder" "$@"
    done_already "$out/dict.txt" "dictionary" ||
        preprocess build_dict --encoder "$out/encoder" --langs "$langs" --out "$out/dict.txt"
}

# given_split PAIR SIDE SIDE: OUT/split where the sets were given: for training OUT/clean/PAIR, the first MAX_TRAIN of it
# (0: all), for validation and test what OUT/raw has, as it is.
given_split() {
    local side part first=(cat)
    [ "$MAX_TRAIN" = 0 ] || first=(head -n "$MAX_TRAIN")
    mkdir -p "$OUT/split"
    for side in "$2" "$3"; do
        "${first[@]}" <"$OUT/clean/$1.$side" >"$OUT/split/train.$1.$side"
        for part in valid test; do cp "$OUT/raw/$part.$side" "$OUT/split/$part.$1.$side"; done
    done
}

# encode_text ENCODER PIECES FILES... [FLAGS OF preprocess/encode.py]: the folder PIECES, which has FILES in the pieces of
# the encoder folder ENCODER.
encode_text() {
    local encoder=$1 pieces=$2
    shift 2
    # The model takes its name last, and what is added to it later, the first file.
    { [ -e "$pieces/sentencepiece.bpe.model" ] && done_already "$pieces/${1##*/}" "pieces"; } ||
        preprocess encode --spm "$encoder/sentencepiece.bpe.model" --out "$pieces" "$@"
}

# denoise OUT LANG MAX_LENGTH: OUT/denoised, a decoder that has learnt to write LANG and to copy, by DENOISING updates on
# OUT/data-bin; sets the array start to the flags that go on from it. Nothing where DENOISING is 0.
# shellcheck disable=SC2034,SC2153
denoise() {
    start=()
    [ "$DENOISING" != 0 ] || return 0
    UPDATES=$DENOISING LR=$DENOISING_LR EPOCHS=1000 WARMUP=50 SENTENCES=100 UPDATE_FREQ=1 MAX_LENGTH=$3 \
        MAX_TOKENS=$((BATCH_TOKENS / 2)) SCHEDULED_SAMPLING=none \
        bash "$SWCM_ROOT/recipes/pretrain.sh" "$1/data-bin" "$1/encoder" "$1/denoised" "$2"
    start=(--finetune-from-model "$1/denoised/checkpoint_last.pt")
}

# pack CHECKPOINT FOLDER: the folder with all that a translator needs.
pack() { done_already "$2/config.json" "packed folder" "$1" || swcm-pack "$1" "$2" --force; }

# score_into FILE FLAGS OF swcm-score: its table on the terminal, and FILE, the same as JSON.
score_into() {
    local file=$1
    shift
    swcm-score "$@" --json >"$file.tmp"
    mv "$file.tmp" "$file"
    swcm-score "$@"
}

# libreoffice_pairs OUT LANGS: OUT/clean/zh-XX, clean LibreOffice text of Chinese with each of LANGS (spaces between
# them), or that of the folder TEXT; at most MAX_PIECES of the encoder folder ENCODER a side.
# shellcheck disable=SC2153
libreoffice_pairs() {
    local out=$1 text=$TEXT lang kind=()
    if [ -z "$text" ]; then
        text=$out/raw kind=(--catalogue)
        LANGS=$2 bash "$SWCM_ROOT/recipes/data/libreoffice.sh" "$text"
    fi
    for lang in $2; do
        done_already "$out/clean/zh-$lang.counts.json" "clean zh-$lang" ||
            preprocess clean --src "$text/zh-$lang.zh" --tgt "$text/zh-$lang.$lang" \
                --src-lang zh --tgt-lang "$lang" --spm "$ENCODER/sentencepiece.bpe.model" \
                --max-pieces "$MAX_PIECES" "${kind[@]+"${kind[@]}"}" --out "$out/clean/zh-$lang"
    done
}
