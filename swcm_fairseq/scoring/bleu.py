"""BLEU (Papineni et al. 2002) as sacreBLEU computes it, with a tokenizer that fits the script."""

from typing import Dict, Sequence, Tuple

from sacrebleu.metrics import BLEU

from ..data.languages import SYLLABLES, WORDS, Language
from .tokenizers import tokenizer_for


def bleu(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """Corpus BLEU, 0 to 100, and sacreBLEU's signature.

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
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return {"bleu": result.score}, str(metric.get_signature())
