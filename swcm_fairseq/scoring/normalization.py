"""What is done to hypotheses and references alike before they are compared."""

from functools import lru_cache
from typing import List, Sequence

NORMALIZERS = ("nmt_nfkc", "none")


def normalize(sentences: Sequence[str], normalizer: str) -> List[str]:
    """Normalize as XLM-R's SentencePiece model does (``nmt_nfkc``), or leave alone (``none``).

    A model's output has gone through that normalization, which cannot be undone: U+202F before a Mongolian
    suffix is a space in it, full-width forms are plain, runs of white space are one space.
    """
    if normalizer == "none":
        return list(sentences)
    rules = _rules(normalizer)
    return [rules.normalize(sentence) for sentence in sentences]


@lru_cache(maxsize=None)
def _rules(normalizer: str):
    import sentencepiece  # only where it is needed: it costs a tenth of a second

    return sentencepiece.SentencePieceNormalizer(
        rule_name=normalizer, add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=True
    )
