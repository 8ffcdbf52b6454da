"""BLEU (Papineni et al. 2002) and spBLEU (Goyal et al. 2022) from sacreBLEU's counts."""

import contextlib
import hashlib
import logging
import os
from functools import lru_cache
from typing import Sequence

import numpy as np
from sacrebleu.metrics import BLEU

from ..errors import SwcmError
from ..languages import SYLLABLES, WORDS, Language
from .statistics import Statistics, Values, ratio
from .tokenizers import tokenizer_for

SPBLEU_MODEL = "SWCM_SPBLEU_MODEL"  # environment variable: a SentencePiece model to use for spBLEU
_ORDERS = 4


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Corpus BLEU, 0 to 100, with a tokenizer that fits the script.

    sacreBLEU has no tokenizer for Tibetan syllables, nor for the other scripts without spaces: there ours
    takes its place and the signature says so (``tok:swcm-bo-syllables``, ``tok:swcm-characters``).
    """
    if target.units == WORDS:
        metric = BLEU(tokenize="13a")
    elif target.scripts == ("Han",):
        metric = BLEU(tokenize="zh")
    else:
        metric = BLEU(tokenize="none")
        tokenize = tokenizer_for(target, punctuation=True)
        metric.tokenizer = lambda line: " ".join(tokenize(line))
        metric.tokenizer_signature = "swcm-bo-syllables" if target.units == SYLLABLES else "swcm-characters"
    return _statistics("bleu", metric, hypotheses, references)


def spbleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """BLEU over the pieces of one SentencePiece model for all languages, 0 to 100.

    The model is FLORES-200's, which sacreBLEU keeps in its folder and downloads when it is not there; or the one
    that the environment variable SWCM_SPBLEU_MODEL names, by whose content the signature tells it (``tok:spm-...``).

    Raises:
        SwcmError: the model cannot be had.
    """
    own = os.environ.get(SPBLEU_MODEL)
    return _statistics("spbleu", _of_pieces(own) if own else _flores200(), hypotheses, references)


@lru_cache(maxsize=1)
def _of_pieces(path: str) -> BLEU:
    import sentencepiece

    try:
        with open(path, "rb") as stream:
            content = stream.read()
        processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    except (OSError, RuntimeError) as error:
        raise SwcmError(f"{path} (named by {SPBLEU_MODEL}) is no SentencePiece model: {error}")
    metric = BLEU(tokenize="none")
    metric.tokenizer = lambda line: " ".join(processor.encode(line, out_type=str))
    metric.tokenizer_signature = "spm-" + hashlib.sha256(content).hexdigest()[:8]
    return metric


@lru_cache(maxsize=1)
def _flores200() -> BLEU:
    from sacrebleu.tokenizers import tokenizer_spm

    name = os.path.basename(tokenizer_spm.SPM_MODELS["flores200"]["url"])
    path = os.path.join(tokenizer_spm.SACREBLEU_DIR, "models", name)
    try:
        return BLEU(tokenize="flores200")
    except (Exception, SystemExit) as error:  # no network, a broken download, another file: sacreBLEU says it variously
        if os.path.exists(path) and os.path.getsize(path) == 0:
            with contextlib.suppress(OSError):
                os.remove(path)  # sacreBLEU leaves an empty file behind and would read that next time
        raise SwcmError(
            f"spBLEU needs the SentencePiece model of FLORES-200, which could not be downloaded ({error}); put it "
            f"at {path}, or name another model in {SPBLEU_MODEL}"
        )


def _statistics(name: str, metric: BLEU, hypotheses, references) -> Statistics:
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # Chinese ends in no " ." that is worth a warning
    rows = np.asarray(metric._extract_corpus_statistics(hypotheses, by_number(references)), dtype=float)

    def combine(sums: np.ndarray) -> Values:
        return {name: _bleu(sums)}

    return Statistics(rows, combine, str(metric.get_signature()))


def by_number(references: Sequence[Sequence[str]]) -> list:
    """Sentences' references as sacreBLEU takes them: first references, second ones, ..., None where there is none."""
    most = max(map(len, references))
    return [[some[number] if number < len(some) else None for some in references] for number in range(most)]


def _bleu(sums: np.ndarray) -> np.ndarray:
    """BLEU with exponential smoothing of sums [..., 2 + 2 x 4]: lengths of system and reference, matches, n-grams."""
    system, reference = sums[..., 0], sums[..., 1]
    matches, total = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    # Each order without a match counts as half a match, a quarter, an eighth, ... in the order in which they come.
    missed = np.cumsum(matches == 0, axis=-1)
    precision = ratio(np.where(matches == 0, 0.5**missed, matches), total)
    logarithms = np.log(np.where(precision > 0, precision, 1.0)).mean(axis=-1)
    brevity = np.exp(np.minimum(0.0, 1 - ratio(reference, system)))
    there = np.any(matches > 0, axis=-1) & np.all(total > 0, axis=-1)
    return np.where(there, 100 * brevity * np.exp(logarithms), 0.0)
