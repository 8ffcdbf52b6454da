"""Holds every exported folder against the packed one: probabilities, texts, size and scores; see ../export_check.sh."""

import argparse
import json
import os
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import ctranslate2
import numpy as np
import onnxruntime
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import swcm_fairseq
from swcm_fairseq.decoding.engines.folder import onnx_files
from swcm_fairseq.decoding.engines.onnx import ERRORS_ONLY
from swcm_fairseq.scoring import resampling
from swcm_fairseq.scoring.metrics import measure, summary
from swcm_fairseq.vocabulary.symbols import BOS, EOS, UNKNOWN_ID

FOLDERS = ["hf", "ct2", "onnx", "ct2-int8", "onnx-int8"]
BEAM, MAX_LEN, BATCH = 5, 200, 32

#: Pieces of a source and of an output, without <s>, tag and </s>.
Pair = Tuple[List[str], List[str]]


class Outputs(NamedTuple):
    """One system's outputs for the sentences of one language."""

    pieces: List[List[str]]
    texts: List[str]


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packed", required=True)
    parser.add_argument("--exports", required=True, help="folder that holds hf, ct2, ct2-int8, onnx, onnx-int8")
    parser.add_argument("--only", nargs="+", default=FOLDERS, choices=FOLDERS, help="some of them")
    parser.add_argument("--tests", nargs="+", required=True, metavar="LANG=SOURCE=REFERENCE")
    args = parser.parse_args(arguments)
    tests = {}
    for test in args.tests:
        code, *paths = test.split("=")
        tests[code] = [_lines(path) for path in paths]
    translator = swcm_fairseq.from_pretrained(args.packed)
    ours = {code: _ours(translator, source, code, BEAM) for code, (source, _) in tests.items()}
    greedy = {code: _ours(translator, source, code, 1).texts for code, (source, _) in tests.items()}
    texts = {
        code: {
            "source": source,
            "tag": translator.dictionary.index(f"[{code}]"),
            "beam": ours[code].texts,
            "greedy": greedy[code],
        }
        for code, (source, _) in tests.items()
    }
    with open(os.path.join(args.exports, "ours.json"), "w", encoding="utf-8") as stream:
        json.dump(texts, stream, ensure_ascii=False)
    pairs = {code: list(zip(translator.pieces.cut(source), ours[code].pieces)) for code, (source, _) in tests.items()}
    forced = {code: list(_forced_ours(translator, pairs[code], code)) for code in tests}
    scored = {code: measure(ours[code].texts, references, code, ["chrfpp"]) for code, (_, references) in tests.items()}

    print("| | largest difference of log p | same pieces | MB | {} |".format(" | ".join(f"chrF++ {c}" for c in tests)))
    print("|---" * (4 + len(tests)) + "|")
    scores = [_score(found) for found in scored.values()]
    print(
        "| ours | | {} | {:.0f} | {} |".format(
            sum(map(len, pairs.values())), _megabytes(args.packed), " | ".join(scores)
        )
    )
    for name in args.only:
        folder = os.path.join(args.exports, name)
        score, write = _system(name.split("-")[0], folder)
        far, same, cells = 0.0, 0, []
        for code, (source, references) in tests.items():
            for wanted, found in zip(forced[code], score(pairs[code], code)):
                far = max(far, float(np.abs(found - wanted).max()))
            found = write(source, code)
            same += sum(one == other for one, other in zip(found.pieces, ours[code].pieces))
            theirs = measure(found.texts, references, code, ["chrfpp"])
            (difference,) = resampling.compare(list(scored[code].values()), list(theirs.values()))
            p = difference["chrfpp"].p
            cells.append(f"{_score(theirs)} ({difference['chrfpp'].difference:+.2f}, p = {p:.2f})")
        print(f"| {name} | {far:.1e} | {same} | {_megabytes(folder):.0f} | {' | '.join(cells)} |", flush=True)


def _system(form: str, folder: str) -> Tuple[Callable, Callable]:
    """What gives the log-probabilities of forced outputs, and what writes outputs."""
    if form == "hf":
        return _hugging_face(folder)
    translator = swcm_fairseq.from_pretrained(folder)

    def write(source: List[str], code: str) -> Outputs:
        return _ours(translator, source, code, BEAM)

    if form == "ct2":
        engine = ctranslate2.Translator(folder)

        def score(pairs: Sequence[Pair], code: str) -> Iterator[np.ndarray]:
            for source, target in pairs:
                (found,) = engine.score_batch([[BOS, *source, EOS]], [[f"[{code}]", *target]])
                yield np.array(found.log_probs[1:])

    else:
        score = _onnx(folder, translator)
    return score, write


def _ours(translator, source: List[str], code: str, beam: int) -> Outputs:
    found = translator.hypotheses(source, code, beam=beam, max_len=MAX_LEN, batch_size=BATCH)
    return Outputs([some[0].pieces for some in found], [some[0].text for some in found])


def _forced_ours(translator, pairs: Sequence[Pair], code: str) -> Iterator[np.ndarray]:
    def ids(symbols: List[str]) -> torch.Tensor:
        return torch.tensor([[translator.dictionary.index(symbol) for symbol in symbols]])

    for source, target in pairs:
        with torch.no_grad():
            logits, _ = translator.model(ids([BOS, *source, EOS]), None, ids([f"[{code}]", *target]))
        yield _gathered(logits[0], ids([*target, EOS])[0])


def _hugging_face(folder: str) -> Tuple[Callable, Callable]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    def ids(symbols: List[str]) -> torch.Tensor:
        return torch.tensor([tokenizer.convert_tokens_to_ids(symbols)])

    def score(pairs: Sequence[Pair], code: str) -> Iterator[np.ndarray]:
        for source, target in pairs:
            with torch.no_grad():
                start = ids([BOS, f"[{code}]", *target])
                logits = model(input_ids=ids([BOS, *source, EOS]), decoder_input_ids=start).logits
            yield _gathered(logits[0, 1:], ids([*target, EOS])[0])

    def write(source: List[str], code: str) -> Outputs:
        found = Outputs([], [])
        for start in range(0, len(source), BATCH):
            batch = source[start : start + BATCH]
            # The tag among the inputs does not count for the length, as in fairseq; forced_bos_token_id's does.
            tag = ids([BOS, f"[{code}]"]).repeat(len(batch), 1)
            inputs = tokenizer(batch, padding=True, return_tensors="pt")
            outputs = model.generate(**inputs, decoder_input_ids=tag, num_beams=BEAM, max_new_tokens=MAX_LEN + 1)
            for row in outputs.tolist():
                pieces = tokenizer.convert_ids_to_tokens(row[2:])
                found.pieces.append(pieces[: pieces.index(EOS)] if EOS in pieces else pieces)
            found.texts.extend(tokenizer.batch_decode(outputs, skip_special_tokens=True))
        return found

    return score, write


def _onnx(folder: str, translator) -> Callable:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    eight_bits = os.path.exists(os.path.join(folder, onnx_files(True)[0]))
    paths = [os.path.join(folder, name) for name in onnx_files(eight_bits)]
    encoder, decoder = (onnxruntime.InferenceSession(path, options) for path in paths)
    shapes = {one.name: one.shape for one in decoder.get_inputs() if one.name.startswith("past_key_values")}
    empty = {name: np.zeros((1, shape[1], 0, shape[3]), np.float32) for name, shape in shapes.items()}

    def ids(symbols: List[str]) -> np.ndarray:
        return np.array([[translator.ids.get(symbol, UNKNOWN_ID) for symbol in symbols]])

    def score(pairs: Sequence[Pair], code: str) -> Iterator[np.ndarray]:
        for source, target in pairs:
            inputs = ids([BOS, *source, EOS])
            (memory,) = encoder.run(None, {"input_ids": inputs, "attention_mask": np.ones_like(inputs)})
            feed = {"encoder_hidden_states": memory, "encoder_attention_mask": np.ones_like(inputs), **empty}
            feed["input_ids"] = ids([BOS, f"[{code}]", *target])
            feed["use_cache_branch"] = np.array([False])
            (logits,) = decoder.run(["logits"], feed)
            yield _gathered(torch.tensor(logits[0, 1:]), torch.tensor(ids([*target, EOS])[0]))

    return score


def _gathered(logits: torch.Tensor, wanted: torch.Tensor) -> np.ndarray:
    """logits [T, V], wanted [T] -> log-probabilities [T]."""
    return torch.log_softmax(logits.float(), -1).gather(-1, wanted[:, None])[:, 0].numpy()


def _score(found: Dict) -> str:
    return "{:.1f}".format(summary(found, 0)["chrfpp"])


def _megabytes(folder: str) -> float:
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names) / 1e6


def _lines(path: str) -> List[str]:
    with open(path, encoding="utf-8", newline="\n") as stream:
        return stream.read().splitlines()


if __name__ == "__main__":
    main()
