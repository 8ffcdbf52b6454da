"""Tiny random encoder folders in Hugging Face's layout, for tests."""

import functools
import io
import json
import os
from typing import Any, Callable, Dict, List, Optional, Sequence

import sentencepiece
import torch
from safetensors.torch import save_file

# Written for these tests; enough script and repetition for a model of a few dozen pieces a language.
CORPUS = (
    "今天天气很好，我们去山上看羊。",
    "请打开文件，然后保存到新的文件夹。",
    "孩子们在学校里学习数学和历史。",
    "我的朋友明天早上从北京来。",
    "这本书讲的是草原上的一匹小马。",
    "Бүгін ауа райы жақсы, біз тауға қой көруге барамыз.",
    "Файлды ашып, жаңа қалтаға сақтаңыз.",
    "Балалар мектепте математика мен тарихты оқиды.",
    "Менің досым ертең таңертең Алматыдан келеді.",
    "Бұл кітап даладағы кішкентай тай туралы.",
    "Өнөөдөр тэнгэр сайхан байна, бид ууланд хонь үзэхээр явна.",
    "Файлыг нээгээд шинэ хавтсанд хадгална уу.",
    "Хүүхдүүд сургуульд тоо ба түүх сурдаг.",
    "Миний найз маргааш өглөө Улаанбаатараас ирнэ.",
    "Энэ ном тал нутгийн бяцхан унаганы тухай.",
    "بۈگۈن ھاۋا ياخشى، بىز تاغقا قوي كۆرگىلى بارىمىز.",
    "ھۆججەتنى ئېچىپ يېڭى قىسقۇچقا ساقلاڭ.",
    "بالىلار مەكتەپتە ماتېماتىكا ۋە تارىخ ئۆگىنىدۇ.",
    "مېنىڭ دوستۇم ئەتە ئەتىگەندە ئۈرۈمچىدىن كېلىدۇ.",
    "بۇ كىتاب دالادىكى كىچىك تاي ھەققىدە.",
)


def train_sentencepiece(corpus: Optional[Sequence[str]] = None, vocab: int = 200, kind: str = "unigram") -> bytes:
    """A SentencePiece model file trained on ``corpus``, of about ``vocab`` pieces, as XLM-R's are set up."""
    return _train(tuple(corpus or CORPUS), vocab, kind)


@functools.lru_cache(maxsize=None)
def _train(corpus: Sequence[str], vocab: int, kind: str) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type=kind,
        vocab_size=vocab,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def sentencepiece_pieces(model: bytes) -> List[str]:
    """The pieces of a model file in id order, without the three specials at its head."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]


def random_tensors(
    rows: int, layers: int, width: int, ffn: int, positions: int = 66, seed: int = 0
) -> Dict[str, torch.Tensor]:
    """A random XLM-R encoder [rows x width], under Hugging Face's names without prefix; token type 0 is not zero."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return 0.2 * torch.randn(*shape, generator=generator)

    def norm(name: str) -> Dict[str, torch.Tensor]:
        return {name + ".weight": 1 + normal(width), name + ".bias": normal(width)}

    def linear(name: str, outputs: int, inputs: int) -> Dict[str, torch.Tensor]:
        return {name + ".weight": normal(outputs, inputs), name + ".bias": normal(outputs)}

    tensors = {
        "embeddings.word_embeddings.weight": normal(rows, width),
        "embeddings.position_embeddings.weight": normal(positions, width),
        "embeddings.token_type_embeddings.weight": normal(1, width),
    }
    tensors.update(norm("embeddings.LayerNorm"))
    for layer in range(layers):
        start = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            tensors.update(linear(start + "attention.self." + part, width, width))
        tensors.update(linear(start + "attention.output.dense", width, width))
        tensors.update(norm(start + "attention.output.LayerNorm"))
        tensors.update(linear(start + "intermediate.dense", ffn, width))
        tensors.update(linear(start + "output.dense", width, ffn))
        tensors.update(norm(start + "output.LayerNorm"))
    return tensors


def make_encoder_folder(
    path,
    layers: int = 4,
    width: int = 24,
    heads: int = 4,
    ffn: int = 40,
    eps: float = 1e-5,
    seed: int = 0,
    corpus: Optional[Sequence[str]] = None,
    vocab: int = 200,
    positions: int = 66,
) -> str:
    """Write config.json, model.safetensors and sentencepiece.bpe.model into ``path``, and return ``path``.

    Args:
        corpus: sentences for the SentencePiece model, some Chinese, Kazakh, Mongolian and Uyghur by default.
        vocab: about as many pieces.
        positions: rows of the position embedding, two more than the longest input has tokens.
    """
    path = str(path)
    os.makedirs(path, exist_ok=True)
    model = train_sentencepiece(corpus, vocab)
    rows = 4 + len(sentencepiece_pieces(model)) + 1
    config = {
        "architectures": ["XLMRobertaModel"],
        "model_type": "xlm-roberta",
        "vocab_size": rows,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": ffn,
        "hidden_act": "gelu",
        "max_position_embeddings": positions,
        "type_vocab_size": 1,
        "layer_norm_eps": eps,
        "position_embedding_type": "absolute",
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as stream:
        json.dump(config, stream, indent=2)
    with open(os.path.join(path, "sentencepiece.bpe.model"), "wb") as stream:
        stream.write(model)
    tensors = random_tensors(rows, layers, width, ffn, positions, seed)
    save_file(tensors, os.path.join(path, "model.safetensors"), metadata={"format": "pt"})
    return path


def edit_pieces(folder: str, edit: Callable[[list], Any]) -> None:
    """Rewrite the folder's SentencePiece model with ``edit`` applied to its list of pieces."""
    from swcm_fairseq.vocabulary.sentencepiece_model import SentencePieceModel

    path = os.path.join(folder, "sentencepiece.bpe.model")
    model = SentencePieceModel.read(path)
    edit(model.pieces)
    with open(path, "wb") as stream:
        stream.write(model.to_bytes())


def fairseq_tensors(tensors: Dict[str, torch.Tensor], fused: bool = False) -> Dict[str, torch.Tensor]:
    """Hugging Face's ``tensors`` under fairseq's names, without prefix; ``fused`` as its older versions had them.

    Token types, which fairseq has not, are added into the positions.
    """
    renamed = {
        "embed_tokens.weight": tensors["embeddings.word_embeddings.weight"],
        "embed_positions.weight": tensors["embeddings.position_embeddings.weight"]
        + tensors["embeddings.token_type_embeddings.weight"][0],
    }
    embedding_norm = "emb_layer_norm" if fused else "layernorm_embedding"
    parts = {
        "attention.output.dense": "self_attn.out_proj",
        "attention.output.LayerNorm": "self_attn_layer_norm",
        "intermediate.dense": "fc1",
        "output.dense": "fc2",
        "output.LayerNorm": "final_layer_norm",
    }
    for kind in ("weight", "bias"):
        renamed[f"{embedding_norm}.{kind}"] = tensors["embeddings.LayerNorm." + kind]
        for layer in range(sum(name.endswith("query.bias") for name in tensors)):
            theirs, ours = f"encoder.layer.{layer}.", f"layers.{layer}."
            for old, new in parts.items():
                renamed[f"{ours}{new}.{kind}"] = tensors[f"{theirs}{old}.{kind}"]
            projections = [tensors[f"{theirs}attention.self.{p}.{kind}"] for p in ("query", "key", "value")]
            if fused:
                renamed[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(projections)
            else:
                for letter, projection in zip("qkv", projections):
                    renamed[f"{ours}self_attn.{letter}_proj.{kind}"] = projection
    return renamed
