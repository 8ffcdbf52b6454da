"""What a packed model looks at while it writes a sentence."""

from typing import List, NamedTuple

from ...errors import SwcmError
from ...languages import tag_of
from ...vocabulary.symbols import BOS, EOS


class Attention(NamedTuple):
    """``weights`` [T][S]: how much of its attention to the source each of the T target pieces took to each of the S
    source pieces, in the decoder's last layer, averaged over heads; every row sums to 1."""

    source: List[str]
    target: List[str]
    weights: List[List[float]]


def attention(folder: str, source: str, output: str, lang: str) -> Attention:
    """Attention of the model in ``folder`` (made by swcm-pack) while it is made to write ``output``.

    Args:
        source: raw text.
        output: raw text that the model wrote for it, or any other.
        lang: code of the output's language.

    Raises:
        SwcmError: no packed folder, or one without that language.
    """
    # Scores need neither; both take seconds to start.
    import torch

    from ...decoding.translator import Translator

    translator = Translator.from_pretrained(folder)
    dictionary, model = translator.dictionary, translator.model
    model.decoder.need_attn = True  # else it is left out
    tag = dictionary.index(tag_of(lang))
    if tag == dictionary.unk():
        raise SwcmError(f"the model in {folder} has no tag {tag_of(lang)}")
    read, written = translator.pieces.cut([source, output])
    read = read[: model.max_positions()[0] - 2]
    written = written[: model.max_positions()[1] - 2]
    encode = dictionary.index
    tokens = torch.tensor([[dictionary.bos()] + [encode(piece) for piece in read] + [dictionary.eos()]])
    given = torch.tensor([[tag] + [encode(piece) for piece in written]])
    with torch.no_grad():
        memory = model.encoder(tokens, src_lengths=torch.tensor([tokens.size(1)]))
        _, extra = model.decoder(given, encoder_out=memory, features_only=True)
    weights = extra["attn"][0][0]
    return Attention([BOS, *read, EOS], [*written, EOS], weights.tolist())
