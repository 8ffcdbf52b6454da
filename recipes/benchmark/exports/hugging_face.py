"""Writes with transformers 4's pipelines and with optimum, and counts the texts that are ours; see ../export_check.sh.

Runs where transformers 4 and optimum-onnx are installed, without this package.
"""

import argparse
import json
import os
from typing import Callable, Dict, List

from optimum.onnxruntime import ORTModelForSeq2SeqLM
from transformers import AutoTokenizer, pipeline

BATCH = 32
BEAM = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exports", required=True, help="folder that holds hf, hf-LANG, onnx, onnx-int8 and ours.json")
    parser.add_argument("--source", default="zh", help="language of the sources (%(default)s)")
    parser.add_argument("--sentences", type=int, default=150, help="of each language (%(default)s)")
    args = parser.parse_args()
    with open(os.path.join(args.exports, "ours.json"), encoding="utf-8") as stream:
        ours = json.load(stream)
    for name in ("hf", "hf-alone", "onnx", "onnx-int8"):
        same = total = 0
        words = name
        for code, texts in ours.items():
            if name == "hf":
                words = 'pipeline("translation_SOURCE_to_TARGET")'
                write = _pipeline(f"translation_{args.source}_to_{code}", os.path.join(args.exports, "hf"), {})
            elif name == "hf-alone":
                words = 'pipeline("translation") of a folder for one language'
                options = {"src_lang": args.source, "tgt_lang": code}
                write = _pipeline("translation", os.path.join(args.exports, f"hf-{code}"), options)
            else:
                words = f"optimum, {name}"
                write = _optimum(os.path.join(args.exports, name), code)
            found = write(texts["source"][: args.sentences])
            same += sum(one == other for one, other in zip(found, texts["beam"]))
            total += len(found)
        print(f"| {words} | {same} of {total} |", flush=True)


def _pipeline(task: str, folder: str, options: Dict[str, str]) -> Callable:
    translator = pipeline(task, model=folder, **options)  # its own beam of 4 would go before the folder's
    return lambda source: [found["translation_text"] for found in translator(source, batch_size=BATCH, num_beams=BEAM)]


def _optimum(folder: str, code: str) -> Callable:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), ORTModelForSeq2SeqLM.from_pretrained(folder)
    tag = tokenizer.convert_tokens_to_ids(f"[{code}]")

    def write(source: List[str]) -> List[str]:
        texts: List[str] = []
        for start in range(0, len(source), BATCH):
            inputs = tokenizer(source[start : start + BATCH], padding=True, return_tensors="pt")
            outputs = model.generate(**inputs, forced_bos_token_id=tag, num_beams=BEAM)
            texts += tokenizer.batch_decode(outputs, skip_special_tokens=True)
        return texts

    return write


if __name__ == "__main__":
    main()
