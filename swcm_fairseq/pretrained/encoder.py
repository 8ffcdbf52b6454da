"""A pretrained encoder, read and checked, under the names that this package's encoder gives its tensors."""

import os
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import torch

from ..errors import SwcmError
from ..vocabulary.encoder_vocabulary import SENTENCEPIECE_NAMES, Vocabulary, read_vocabulary
from .layouts import FAIRSEQ, HUGGING_FACE, POSITIONS, Match, match_names
from .settings import EncoderConfig, read_fairseq_settings, read_hugging_face_settings, size_problems
from .tensor_files import FLOATS, TensorFiles, open_weights

# Position 0 is padding_idx + 1 = row 2; the two rows before it are never looked up by a token.
POSITION_OFFSET = 2


@dataclass(frozen=True)
class PretrainedEncoder:
    """Everything that building and starting a model takes from an encoder.

    Attributes:
        config: sizes, activation and eps.
        tensors: name in the model's ``encoder`` -> float32 tensor. ``embeddings.tokens.weight`` [V, C],
            ``embeddings.positions.weight`` [max_positions + 2, C] with token type 0 added in,
            ``embeddings.layer_norm.*`` [C], and for each layer N ``layers.N.self_attn.in_proj.{weight,bias}``
            ([3C, C], [3C]: q, k, v in this order), ``layers.N.self_attn.{out_proj,layer_norm}.*``,
            ``layers.N.ffn.{fc1,fc2,layer_norm}.*``.
        sources: our name -> the name, or names in braces, in the file.
        unused: names in the file that an encoder has no use for, such as those of a language model's head.
        pieces: the pieces in row order, from row 4 on; None where no vocabulary lies beside the weights.
        sentencepiece_model: path of the SentencePiece model, None where there is none.
        path: the folder or file that was read.
    """

    config: EncoderConfig
    tensors: Dict[str, torch.Tensor]
    sources: Dict[str, str]
    unused: List[str]
    pieces: Optional[List[str]]
    sentencepiece_model: Optional[str]
    path: str


@dataclass(frozen=True)
class OpenedEncoder:
    """An encoder whose names and shapes are checked, and whose values are still on disk.

    Attributes:
        config: as in ``PretrainedEncoder``; ``vocab_size`` counts all rows of the file, surplus ones too.
        surplus_rows: rows at the end that belong to no special, piece or ``<mask>``.
        first_position: the row of the first token's position in the file: 2, as in XLM-R, or 0, as in BERT.
    """

    path: str
    config: EncoderConfig
    files: TensorFiles
    match: Match
    vocabulary: Vocabulary
    surplus_rows: int
    first_position: int

    def tensor(self, name: str) -> torch.Tensor:
        """The tensor that is called ``name`` here, in float32, token types not added in."""
        parts = [self.files.read(each) for each in self.match.origins[name]]
        if name == POSITIONS and self.first_position < POSITION_OFFSET:
            parts.insert(0, parts[0].new_zeros(POSITION_OFFSET - self.first_position, parts[0].size(1)))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def token_types(self) -> Optional[torch.Tensor]:
        """The table of token types [types, C], None where the layout has none."""
        return self.files.read(self.match.token_types) if self.match.token_types else None

    def refuse_surplus_rows(self) -> None:
        """Raise ``SwcmError`` where the embedding has more rows than the vocabulary needs."""
        if self.surplus_rows:
            needed, rows = self.vocabulary.rows(), self.config.vocab_size
            raise SwcmError(
                f"{self.path}: the embedding has {rows} rows; the specials, the "
                f"{len(self.vocabulary.pieces or [])} pieces of {self.vocabulary.origin} and <mask> take "
                f"{needed}, so rows {needed} to {rows - 1} "
                "are surplus, or the vocabulary is another encoder's; to cut them: "
                f"preprocess/prune_encoder.py --encoder {self.path} --out NEW"
            )


def read_encoder(path: str) -> PretrainedEncoder:
    """Read an encoder of XLM-R's kind and check that it is whole and agrees with itself.

    Args:
        path: a Hugging Face folder (config.json with model.safetensors, pytorch_model.bin, or the index of
            either), a fairseq model.pt, or a folder with one.

    Raises:
        SwcmError: lists everything that is wrong with it.
    """
    opened = open_encoder(path)
    opened.refuse_surplus_rows()
    tensors = {name: opened.tensor(name) for name in opened.match.origins}
    sources = dict(opened.match.sources)
    token_types = opened.token_types()
    if token_types is not None:
        # Every token has type 0, so its row is part of every position.
        tensors[POSITIONS] = tensors[POSITIONS] + token_types[0]
        sources[POSITIONS] += f" + {opened.match.token_types}[0]"
    return PretrainedEncoder(
        opened.config,
        tensors,
        sources,
        opened.match.unused,
        opened.vocabulary.pieces,
        opened.vocabulary.sentencepiece_model,
        path,
    )


def open_encoder(path: str) -> OpenedEncoder:
    """Open an encoder as ``read_encoder`` does, without reading values and without minding surplus rows."""
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, "config.json")):
        files, match, settings, problems = _open_hugging_face(path)
        vocabulary, more = read_vocabulary(path)
        if settings["first_position"] == 0 and vocabulary.pieces is None:
            names = ", ".join(SENTENCEPIECE_NAMES)
            more.append(
                f"a BERT is an encoder of this kind with XLM-R's pieces alone, and no SentencePiece model ({names}) "
                "lies beside it; those of WordPiece (vocab.txt) cannot be used"
            )
    elif os.path.isfile(path) or os.path.isfile(os.path.join(path, "model.pt")):
        model = path if os.path.isfile(path) else os.path.join(path, "model.pt")
        files, match, settings, problems = _open_fairseq(model)
        folder = os.path.dirname(os.path.abspath(model))
        dictionary = os.path.join(folder, "dict.txt")
        vocabulary, more = read_vocabulary(folder, dictionary if os.path.isfile(dictionary) else None)
    elif os.path.isdir(path):
        problems = ["config.json is missing"]
        try:
            open_weights(path)
        except SwcmError as error:
            problems.append(str(error))
        raise SwcmError(f"{path} is no encoder folder (Hugging Face's layout, or fairseq's model.pt):", problems)
    else:
        raise SwcmError(f"{path} does not exist; give an encoder folder or a fairseq model.pt")

    problems += size_problems(settings, match.sizes) + match.problems + _kind_problems(files, match)
    config = _config(settings, match.sizes)
    pieces = vocabulary.pieces
    surplus = config.vocab_size - vocabulary.rows() if pieces is not None else 0
    if pieces is not None and surplus < 0 and "V" in match.sizes:
        more.append(
            f"{vocabulary.origin} holds {len(pieces)} pieces, which with specials and <mask> take "
            f"{vocabulary.rows()} rows, the embedding has {config.vocab_size}: it is another encoder's vocabulary"
        )
    if problems + more:
        raise SwcmError(f"{path} cannot be used as an encoder:", problems + more)
    return OpenedEncoder(path, config, files, match, vocabulary, surplus, settings["first_position"])


def _open_hugging_face(folder: str) -> Tuple[TensorFiles, Match, Dict, List[str]]:
    settings, problems = read_hugging_face_settings(os.path.join(folder, "config.json"))
    try:
        files = open_weights(folder)
    except SwcmError as error:
        raise SwcmError(f"{folder} cannot be used as an encoder:", problems + [str(error)])
    return files, match_names(HUGGING_FACE, files.shapes), settings, problems


def _open_fairseq(path: str) -> Tuple[TensorFiles, Match, Dict, List[str]]:
    state, settings, problems = read_fairseq_settings(path)
    files = TensorFiles(path)
    files.add_state(state)
    return files, match_names(FAIRSEQ, files.shapes), settings, problems


def _config(settings: Dict, sizes: Dict[str, int]) -> EncoderConfig:
    return EncoderConfig(
        vocab_size=sizes.get("V", 0),
        encoder_layers=sizes.get("N", 0),
        encoder_embed_dim=sizes.get("C", 0),
        encoder_ffn_embed_dim=sizes.get("F", 0),
        encoder_attention_heads=settings["heads"],
        max_positions=sizes.get("P", 0) - settings["first_position"],
        activation_fn=settings["activation_fn"],
        layer_norm_eps=settings["layer_norm_eps"],
    )


def _kind_problems(files: TensorFiles, match: Match) -> List[str]:
    """Which of the tensors in use are no floating-point numbers, one line for each type."""
    used = [each for parts in match.origins.values() for each in parts]
    used += [match.token_types] if match.token_types else []
    problems = []
    for kind in sorted({files.kinds[name] for name in used} - set(FLOATS)):
        names = [name for name in used if files.kinds[name] == kind]
        problems.append(
            f"{len(names)} tensors hold {kind} and no floating-point numbers, {names[0]} first: they are "
            "quantized, and mean nothing without their scales; give the encoder in float32, float16 or bfloat16"
        )
    return problems
