"""The names that encoders' tensors have in files, beside those of the model's ``encoder``, which are ours everywhere.

In a template ``{n}`` is the layer's number, ``{w}`` is weight or bias, ``{g}`` is gamma or beta (the names of
the two in old TensorFlow conversions), and ``{query,key,value}`` are tensors stacked in this order along
their first axis.
"""

import re
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from .tensor_files import Shape

#: The tables of pieces and of positions, under our names.
TOKENS, POSITIONS = "embeddings.tokens.weight", "embeddings.positions.weight"

# Our names -> shapes: V vocabulary rows, P position rows, C channels, F the feed-forward network's inner width.
_SHAPES = {
    TOKENS: ("V", "C"),
    POSITIONS: ("P", "C"),
    "embeddings.layer_norm.weight": ("C",),
    "embeddings.layer_norm.bias": ("C",),
}
_LAYER_SHAPES = {
    "self_attn.in_proj.weight": ("3C", "C"),
    "self_attn.in_proj.bias": ("3C",),
    "self_attn.out_proj.weight": ("C", "C"),
    "self_attn.out_proj.bias": ("C",),
    "self_attn.layer_norm.weight": ("C",),
    "self_attn.layer_norm.bias": ("C",),
    "ffn.fc1.weight": ("F", "C"),
    "ffn.fc1.bias": ("F",),
    "ffn.fc2.weight": ("C", "F"),
    "ffn.fc2.bias": ("C",),
    "ffn.layer_norm.weight": ("C",),
    "ffn.layer_norm.bias": ("C",),
}


@dataclass(frozen=True)
class Layout:
    """How one program names the tensors of an XLM-R-like encoder.

    Attributes:
        modules: our module -> its templates in the file, the first one found counts.
        prefixes: what may stand before every name.
        layer_prefix: what stands before a layer's number.
        unneeded: pattern of the names that an encoder has no use for (heads, buffers).
        token_types: the table of token types, "" where the layout has none.
    """

    modules: Dict[str, Tuple[str, ...]]
    prefixes: Tuple[str, ...]
    layer_prefix: str
    unneeded: str
    token_types: str = ""


HUGGING_FACE = Layout(
    modules={
        "embeddings.tokens": ("embeddings.word_embeddings.{w}",),
        "embeddings.positions": ("embeddings.position_embeddings.{w}",),
        "embeddings.layer_norm": ("embeddings.LayerNorm.{w}", "embeddings.LayerNorm.{g}"),
        "self_attn.in_proj": ("encoder.layer.{n}.attention.self.{query,key,value}.{w}",),
        "self_attn.out_proj": ("encoder.layer.{n}.attention.output.dense.{w}",),
        "self_attn.layer_norm": (
            "encoder.layer.{n}.attention.output.LayerNorm.{w}",
            "encoder.layer.{n}.attention.output.LayerNorm.{g}",
        ),
        "ffn.fc1": ("encoder.layer.{n}.intermediate.dense.{w}",),
        "ffn.fc2": ("encoder.layer.{n}.output.dense.{w}",),
        "ffn.layer_norm": (
            "encoder.layer.{n}.output.LayerNorm.{w}",
            "encoder.layer.{n}.output.LayerNorm.{g}",
        ),
    },
    prefixes=("roberta.", "bert.", ""),
    layer_prefix="encoder.layer.",
    unneeded=r"(pooler|lm_head|classifier|qa_outputs|cls)\..*|embeddings\.(position_ids|token_type_ids)",
    token_types="embeddings.token_type_embeddings.weight",
)

FAIRSEQ = Layout(
    modules={
        "embeddings.tokens": ("embed_tokens.{w}",),
        "embeddings.positions": ("embed_positions.{w}",),
        "embeddings.layer_norm": ("layernorm_embedding.{w}", "emb_layer_norm.{w}"),
        "self_attn.in_proj": ("layers.{n}.self_attn.{q_proj,k_proj,v_proj}.{w}", "layers.{n}.self_attn.in_proj_{w}"),
        "self_attn.out_proj": ("layers.{n}.self_attn.out_proj.{w}",),
        "self_attn.layer_norm": ("layers.{n}.self_attn_layer_norm.{w}",),
        "ffn.fc1": ("layers.{n}.fc1.{w}",),
        "ffn.fc2": ("layers.{n}.fc2.{w}",),
        "ffn.layer_norm": ("layers.{n}.final_layer_norm.{w}",),
    },
    # The encoder was called decoder before fairseq 0.10.
    prefixes=("encoder.sentence_encoder.", "decoder.sentence_encoder."),
    layer_prefix="layers.",
    # fairseq 0.12.2 keeps a second copy of each layer's linears for a fast path; it need not be up to date.
    unneeded=r"version|(encoder\.|decoder\.)?(lm_head|classification_heads)\..*"
    r"|layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)",
)


@dataclass(frozen=True)
class Match:
    """The tensors of one encoder in a file.

    Attributes:
        origins: our name -> the names in the file whose tensors, stacked, it is.
        sources: the same for people: one template, such as ``encoder.layer.0.attention.self.{query,key,value}.bias``.
        token_types: the name of the table of token types, None where there is none.
        unused: names in the file that an encoder has no use for.
        sizes: V, C, P, F and N (layers), as the tensors have them.
        problems: everything missing, misshapen or unknown.
    """

    origins: Dict[str, List[str]]
    sources: Dict[str, str]
    token_types: Optional[str]
    unused: List[str]
    sizes: Dict[str, int]
    problems: List[str]


def match_names(layout: Layout, shapes: Dict[str, Shape]) -> Match:
    """Find an encoder's tensors among ``shapes`` (name -> shape) and check that their shapes agree."""
    prefix = next((p for p in layout.prefixes if any(_is_encoder_name(layout, p, name) for name in shapes)), None)
    if prefix is None:
        wanted = " or ".join(p + _templates(layout, TOKENS)[0] for p in layout.prefixes)
        return Match({}, {}, None, [], {}, [f"no tensor is named {wanted}"])

    layers = _count_layers(prefix + layout.layer_prefix, shapes)
    groups = {"the embedding": list(_SHAPES)}
    groups.update((f"layer {n}", layer_tensor_names(n)) for n in range(layers))
    origins: Dict[str, List[str]] = {}
    sources: Dict[str, str] = {}
    problems: List[str] = [] if layers else [f"there is no layer ({prefix + layout.layer_prefix}0...)"]
    token_types = prefix + layout.token_types if prefix + layout.token_types in shapes else None
    taken = {token_types}
    for title, names in groups.items():
        missing = []
        for name in names:
            # Where no template is there as a whole, the one with most of its parts says what is missing.
            templates = [prefix + template for template in _templates(layout, name)]
            template = max(templates, key=lambda each: sum(part in shapes for part in _expand(each)))
            parts = _expand(template)
            absent = [part for part in parts if part not in shapes]
            taken.update(parts)
            missing += absent
            if not absent:
                origins[name], sources[name] = parts, template
        if not any(name in origins for name in names):
            missing = [title + " as a whole"]
        problems += [f"{name} is missing" for name in missing]

    left = [name for name in shapes if name not in taken]
    unused = [name for name in left if re.fullmatch(layout.unneeded, _without(prefix, name))]
    unknown = [name for name in left if name not in set(unused)]
    problems += [f"{name} is no tensor that an encoder of this kind has" for name in unknown]
    sizes = _sizes(origins, shapes)
    sizes["N"] = layers
    problems += _shape_problems(origins, token_types, shapes, sizes)
    return Match(origins, sources, token_types, unused, sizes, problems)


def layer_tensor_names(layer: int) -> List[str]:
    """Our names of one layer's tensors."""
    return [f"layers.{layer}.{name}" for name in _LAYER_SHAPES]


def hugging_face_names(name: str) -> List[str]:
    """The names, without prefix, under which Hugging Face keeps the tensor that is called ``name`` here."""
    return _expand(_templates(HUGGING_FACE, name)[0])


def _is_encoder_name(layout: Layout, prefix: str, name: str) -> bool:
    return name.startswith(prefix) and name[len(prefix) :] in _templates(layout, TOKENS)


def _templates(layout: Layout, name: str) -> List[str]:
    """The templates of our ``name``, with layer number and kind filled in."""
    layer = re.match(r"layers\.(\d+)\.", name)
    module, kind = name[layer.end() if layer else 0 :].rsplit(".", 1)
    filled = []
    for template in layout.modules[module]:
        old_kind = {"weight": "gamma", "bias": "beta"}[kind]
        template = template.replace("{w}", kind).replace("{g}", old_kind)
        filled.append(template.replace("{n}", layer.group(1)) if layer else template)
    return filled


def _expand(template: str) -> List[str]:
    group = re.search(r"\{(.*)\}", template)
    if not group:
        return [template]
    return [template[: group.start()] + each + template[group.end() :] for each in group.group(1).split(",")]


def _without(prefix: str, name: str) -> str:
    return name[len(prefix) :] if name.startswith(prefix) else name


def _count_layers(prefix: str, names: Iterable[str]) -> int:
    numbers = [re.match(r"(\d+)\.", name[len(prefix) :]) for name in names if name.startswith(prefix)]
    return max((int(number.group(1)) + 1 for number in numbers if number), default=0)


def _sizes(origins: Dict[str, List[str]], shapes: Dict[str, Shape]) -> Dict[str, int]:
    """V, C, P, F as the first tensor that shows them has them."""
    sizes: Dict[str, int] = {}
    for name, axes in _shape_rules(origins):
        shape = shapes[origins[name][0]]
        if len(shape) == len(axes):
            for axis, size in zip(axes, shape):
                sizes.setdefault(axis, size)
    return sizes


def _shape_rules(origins: Dict[str, List[str]]) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    for name in origins:
        yield name, _SHAPES.get(name) or _LAYER_SHAPES[name.split(".", 2)[2]]


def _shape_problems(
    origins: Dict[str, List[str]], token_types: Optional[str], shapes: Dict[str, Shape], sizes: Dict[str, int]
) -> List[str]:
    problems = []
    known = dict(sizes, **{"3C": 3 * sizes.get("C", 0)})
    for name, axes in _shape_rules(origins):
        want = tuple(known.get(axis, 0) for axis in axes)
        parts = len(origins[name])
        want = (want[0] // parts,) + want[1:]
        for each in origins[name]:
            if shapes[each] != want:
                problems.append(f"{each} has shape {list(shapes[each])}, not {list(want)}")
    if token_types and (len(shapes[token_types]) != 2 or shapes[token_types][1] != sizes.get("C")):
        problems.append("{} has shape {}, not [any, {}]".format(token_types, list(shapes[token_types]), sizes.get("C")))
    return problems
