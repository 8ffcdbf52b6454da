#!/usr/bin/env bash
# One big file through reading, cleaning, cutting into pieces and scoring: time, memory, and that no line is lost.
#
#   bash recipes/benchmark/big_files.sh [OUT_DIR]
#
# Inputs:   nothing; the text is made (sample_text.py), a part of it again and again with another number in every line.
#   MEGABYTES      of the file (1000)
#   LANG_CODE      whose text (kk)
#   WORKERS        processes of clean, encode and score (all processors)
#   COMMANDS       "read clean encode score"
#   METRICS        of swcm-score (chrf,bleu)
# Outputs:  a table: seconds of the clock and of processors, the memory of the largest process; OUT_DIR, runs/big_files
#           by default, with the files. It fails where lines in are not lines kept and counted.
# Hardware: a CPU; four times MEGABYTES of disk.
# Time:     1 GB on 2 cores: recipes/benchmark/README.md
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${MEGABYTES:=1000}"
: "${LANG_CODE:=kk}"
: "${WORKERS:=$(swcm_cores)}"
: "${COMMANDS:=read clean encode score}"
: "${METRICS:=chrf,bleu}"
export MEGABYTES LANG_CODE

[ $# -le 1 ] || usage_error "recipes/benchmark/big_files.sh [OUT_DIR]"
out=${1:-$SWCM_ROOT/runs/big_files}
use_environment
mkdir -p "$out"

text=$out/text.$LANG_CODE
if ! done_already "$text" "text of $MEGABYTES MB"; then
    say "making $MEGABYTES MB of text"
    "$SWCM_PY" - "$text" <<'PY'
import io, itertools, os, sys
import sentencepiece
from recipes.benchmark.sample_text import lines

path, size = sys.argv[1], int(os.environ["MEGABYTES"]) * 1_000_000
some = list(lines(os.environ["LANG_CODE"], min(size, 8_000_000)))
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(some[:5000]), model_writer=model, vocab_size=2000, hard_vocab_limit=False, minloglevel=2
)
with open(os.path.join(os.path.dirname(path), "spm"), "wb") as stream:
    stream.write(model.getvalue())
made = 0
with open(path + ".tmp", "w", encoding="utf-8") as stream:
    for number, line in enumerate(itertools.cycle(some)):
        if made >= size:
            break
        line = f"{line} {number}\n"
        stream.write(line)
        made += len(line.encode("utf-8"))
os.replace(path + ".tmp", path)
PY
fi
lines=$(wc -l <"$text")

# measured NAME COMMAND...: a line of the table, and the command's standard output in OUT_DIR/NAME.out.
measured() {
    local name=$1
    shift
    "$SWCM_PY" - "$out/$name.out" "$name" "$@" <<'PY'
import resource, subprocess, sys, time

path, name, command = sys.argv[1], sys.argv[2], sys.argv[3:]
began = time.perf_counter()
with open(path, "wb") as stream:
    code = subprocess.call(command, stdout=stream)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # of ru_maxrss
values = name, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / unit
print("{:8}{:8.0f} s  processors {:6.0f} s  largest process {:6.0f} MiB".format(*values), flush=True)
sys.exit(code)
PY
}

# counted NAME FILE: FILE, a counts file, has as many lines read as the text, and all of them kept or dropped.
counted() {
    "$SWCM_PY" - "$1" "$2" "$lines" <<'PY' || die "$1: lines are lost; see $2"
import json, sys

counts = json.load(open(sys.argv[2], encoding="utf-8"))
dropped = sum(counts.get("dropped", {}).values())
print("        read {read}, kept {kept}, dropped {}".format(dropped, **counts))
sys.exit(not counts["read"] == int(sys.argv[3]) == counts["kept"] + dropped)
PY
}

say "$lines lines, $(wc -c <"$text") bytes, $WORKERS workers"
for command in $COMMANDS; do
    case $command in
    read)
        measured read "$SWCM_PY" "$SWCM_ROOT/preprocess/read.py" --force --format text --take "$LANG_CODE=text" \
            --out "$out/read" "$text"
        counted read "$out/read.counts.json"
        rm "$out/read.$LANG_CODE"
        ;;
    clean)
        measured clean "$SWCM_PY" "$SWCM_ROOT/preprocess/clean.py" --force --workers "$WORKERS" --text "$text" \
            --lang "$LANG_CODE" --out "$out/clean"
        counted clean "$out/clean.counts.json"
        ;;
    encode)
        measured encode "$SWCM_PY" "$SWCM_ROOT/preprocess/encode.py" --force --workers "$WORKERS" --spm "$out/spm" \
            --out "$out/pieces" "$text"
        [ "$(wc -l <"$out/pieces/${text##*/}")" -eq "$lines" ] || die "encode: lines are lost"
        rm -r "$out/pieces"
        ;;
    score)
        # Against the same lines with other numbers in them.
        [ -e "$out/reference" ] || sed 's/[0-9]$/0/' "$text" >"$out/reference"
        measured score "$SWCM_VENV/bin/swcm-score" --lang "$LANG_CODE" --hyp "$text" --ref "$out/reference" \
            --metrics "$METRICS" --json --workers "$WORKERS"
        rm "$out/reference"
        ;;
    *) usage_error "COMMANDS are read, clean, encode, score, not $command" ;;
    esac
done
