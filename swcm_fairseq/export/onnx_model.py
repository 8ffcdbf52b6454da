"""ONNX's encoder and decoder of any model, with the names that optimum and transformers.js know.

The encoder reads ``input_ids`` and ``attention_mask`` [B, S] and gives ``last_hidden_state`` [B, S, M]: the
encoder's output, or all outputs that some decoder layer reads, side by side. The decoder reads
``input_ids`` [R, T], that, and with ``use_cache_branch`` true the keys and values of earlier steps. Rows of one
sentence may share theirs: R is a multiple of B then, as in a beam.

Beside ``logits`` the decoder gives what a beam search wants: ``best_logits`` and ``best_ids`` [R, ``best``], the
logarithm ``log_total`` [R, 1] that makes probabilities of logits, all of the last position, and ``attention``
[R, T, S], the last layer's, averaged over heads.
"""

import os
from typing import Dict, List, Tuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ..decoding.engines.folder import onnx_files
from .layers import FIRST_POSITION, NEVER
from .onnx_graph import Graph, Table, array

_FORBIDDEN = np.float32(-1e9)


def write_model(folder: str, model, silent: List[int], eight_bits: bool) -> None:
    """Write both files of ``onnx_files`` into ``folder``.

    Args:
        model: an ``XlmSwcmModel`` of any kind.
        silent: ids of symbols that shall have no probability.
    """
    encoder, decoder = (os.path.join(folder, name) for name in onnx_files(eight_bits))
    os.makedirs(os.path.dirname(encoder), exist_ok=True)
    memories = _memories(model)
    _write_encoder(encoder, model, sorted(set(memories)), eight_bits)
    _write_decoder(decoder, model, memories, silent, eight_bits)


def javascript_settings(folder: str, eight_bits: bool) -> Dict:
    """What ``config.json`` tells transformers.js of the files that ``write_model`` has written into ``folder``."""
    beside = [name for name in onnx_files(eight_bits) if os.path.exists(os.path.join(folder, name + "_data"))]
    settings: Dict = {"dtype": "q8" if eight_bits else "fp32"}
    if beside:
        settings["use_external_data_format"] = {os.path.basename(name): 1 for name in beside}
    return {"transformers.js_config": settings}


def _memories(model) -> List[int]:
    """For each decoder layer, how many encoder layers have made what it reads."""
    layers = len(model.encoder.layers)
    return [layers if planned.memory is None else planned.memory for planned in model.decoder.plan]


def _write_encoder(path: str, model, depths: List[int], eight_bits: bool) -> None:
    graph = Graph(eight_bits)
    padding = model.encoder.padding_idx
    positions = graph.op("CumSum", ["attention_mask", graph.constant(np.int64(1))])
    positions = graph.op("Add", [graph.op("Mul", [positions, "attention_mask"]), graph.constant(np.int64(padding))])
    x = _embedded(graph, model.encoder.embeddings, "input_ids", positions)[0]
    mask = _mask_of_padding(graph, "attention_mask")
    states = {0: x}
    for place, layer in enumerate(model.encoder.layers, 1):
        x = _self_attention(graph, layer.self_attn, x, mask)
        x = states[place] = _feed_forward(graph, layer.ffn, x, model.cfg.activation_fn)
    read = [states[depth] for depth in depths]
    if len(read) == 1:
        graph.rename(read[0], "last_hidden_state")
    else:
        graph.op("Concat", read, "last_hidden_state", axis=-1)
    width = len(depths) * model.cfg.encoder_embed_dim
    ids = [_integers(name, ["batch_size", "sequence_length"]) for name in ("input_ids", "attention_mask")]
    hidden = _floats("last_hidden_state", ["batch_size", "sequence_length", width])
    graph.save(path, ids, [hidden])


def _write_decoder(path: str, model, memories: List[int], silent: List[int], eight_bits: bool) -> None:
    graph = Graph(eight_bits)
    decoder, cfg = model.decoder, model.cfg
    heads, width = cfg.encoder_attention_heads, cfg.encoder_embed_dim
    depths = sorted(set(memories))
    past, present = (
        ["batch_size", heads, "past_length", width // heads],
        ["batch_size", heads, "length", width // heads],
    )
    source = ["encoder_batch_size", heads, "encoder_length", width // heads]
    inputs = [
        _integers("encoder_attention_mask", ["encoder_batch_size", "encoder_length"]),
        _integers("input_ids", ["batch_size", "decoder_length"]),
        _floats("encoder_hidden_states", ["encoder_batch_size", "encoder_length", len(depths) * width]),
    ]
    outputs = [_floats("logits", ["batch_size", "decoder_length", len(decoder.dictionary)])]

    cached = graph.reshape("use_cache_branch", [])
    first = "past_key_values.0.decoder.key"
    # Where there is no cache yet its inputs may hold anything.
    seen = graph.op("Mul", [graph.size(first, 2), graph.cast("use_cache_branch", TensorProto.INT64)])
    new = graph.op(
        "Range",
        [graph.constant(np.int64(0)), graph.reshape(graph.size("input_ids", 1), []), graph.constant(np.int64(1))],
    )
    places = graph.op("Add", [new, seen])
    positions = graph.op("Add", [places, graph.constant(np.int64(FIRST_POSITION))])
    x, table = _embedded(
        graph, decoder.embeddings, "input_ids", graph.op("Unsqueeze", [positions, graph.constant([0])])
    )
    mask = _mask_of_future(graph, places)
    source_mask = _mask_of_padding(graph, "encoder_attention_mask")

    weights = ""
    for place, (layer, memory) in enumerate(zip(decoder.layers, memories)):
        names = [f"{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")]
        caches = [f"past_key_values.{place}.{name}" for name in names]
        gives = [f"present.{place}.{name}" for name in names]
        inputs += [_floats(name, past if "decoder" in name else source) for name in caches]
        outputs += [_floats(name, present if "decoder" in name else source) for name in gives]
        kept = [graph.op("Slice", [name, graph.constant([0]), seen, graph.constant([2])]) for name in caches[:2]]
        x = _self_attention(graph, layer.self_attn, x, mask, kept, gives[:2])
        if hasattr(layer, "ffn1"):
            x = _feed_forward(graph, layer.ffn1, x, cfg.activation_fn)
        column = depths.index(memory) * width
        keys_values = _memory(graph, layer.cross_attn, cached, column, caches[2:], gives[2:])
        x, weights = _cross_attention(graph, layer.cross_attn, x, keys_values, source_mask)
        x = _feed_forward(graph, layer.ffn2 if hasattr(layer, "ffn1") else layer.ffn, x, cfg.activation_fn)

    weight, bias = model.output_parameters()
    if silent:
        bias = weight.new_zeros(len(weight)) if bias is None else bias.detach().clone()
        bias[silent] = NEVER
    if weight is decoder.embeddings.tokens.weight:
        logits = graph.output(x, table, bias)
    else:
        logits = graph.linear(x, weight, bias)
    outputs += _for_a_search(graph, graph.rename(logits, "logits"), weights)
    inputs.append(helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1]))
    # May be set, and need not: it has a value.
    inputs.append(_integers("best", [1]))
    graph.save(path, inputs, outputs)


def _for_a_search(graph: Graph, logits: str, weights: str) -> List:
    last = graph.op("Gather", [logits, graph.constant(np.int64(-1))], axis=1)
    graph.weights.append(numpy_helper.from_array(np.array([16], dtype=np.int64), "best"))
    values, _ = graph.op("TopK", [last, "best"], ["best_logits", "best_ids"], axis=-1)
    # onnxruntime's ReduceLogSumExp takes four times as long as its parts.
    largest = graph.op("Slice", [values, *map(graph.constant, ([0], [1], [-1]))])
    exponentials = graph.op("Exp", [graph.op("Sub", [last, largest])])
    total = graph.op("ReduceSum", [exponentials, graph.constant([-1])], keepdims=1)
    graph.op("Add", [largest, graph.op("Log", [total])], "log_total")
    graph.op("ReduceMean", [weights], "attention", axes=[1], keepdims=0)
    return [
        _floats("log_total", ["batch_size", 1]),
        _floats("best_logits", ["batch_size", "best"]),
        _integers("best_ids", ["batch_size", "best"]),
        _floats("attention", ["batch_size", "decoder_length", "encoder_length"]),
    ]


def _embedded(graph: Graph, embeddings, ids: str, positions: str) -> Tuple[str, Table]:
    table = Table(graph, embeddings.tokens.weight)
    rows = graph.op("Gather", [graph.constant(array(embeddings.positions.weight)), positions])
    return graph.layer_norm(graph.op("Add", [table.rows(ids), rows]), embeddings.layer_norm), table


def _mask_of_padding(graph: Graph, attention_mask: str) -> str:
    """[B, S] -> [B, 1, 1, S], to be added to scores."""
    padding = graph.op("Sub", [graph.constant(np.float32(1)), graph.cast(attention_mask)])
    scaled = graph.op("Mul", [padding, graph.constant(_FORBIDDEN)])
    return graph.op("Unsqueeze", [scaled, graph.constant([1, 2])])


def _mask_of_future(graph: Graph, places: str) -> str:
    """places [T] of the new tokens -> [T, P + T], to be added to scores."""
    end = graph.op("Add", [graph.op("ReduceMax", [places], keepdims=0), graph.constant(np.int64(1))])
    all_places = graph.op("Range", [graph.constant(np.int64(0)), end, graph.constant(np.int64(1))])
    future = graph.op("Greater", [all_places, graph.op("Unsqueeze", [places, graph.constant([1])])])
    return graph.op("Mul", [graph.cast(future), graph.constant(_FORBIDDEN)])


def _self_attention(graph: Graph, sublayer, x: str, mask: str, past=(), present=()) -> str:
    """x [B, T, C] -> the same; ``past`` keys and values [B, H, P, D] are added to, and ``present`` names the sums."""
    read = _read(graph, sublayer, x)
    projected = graph.linear(read, sublayer.in_proj.weight, sublayer.in_proj.bias)
    query, key, value = _heads(graph, projected, sublayer.heads, 3)
    if past:
        key, value = (
            graph.op("Concat", [old, fresh], name, axis=2) for old, fresh, name in zip(past, (key, value), present)
        )
    attended, _ = _attended(graph, sublayer, query, key, value, mask)
    output = graph.linear(graph.reshape(attended, [0, 0, -1]), sublayer.out_proj.weight, sublayer.out_proj.bias)
    return _joined(graph, sublayer, x, output)


def _cross_attention(graph: Graph, sublayer, x: str, keys_values: List[str], mask: str) -> Tuple[str, str]:
    """x [R, T, C] -> the same, and the weights [R, H, T, S]; rows of x side by side may share a row of keys."""
    width, heads = sublayer.width, sublayer.heads
    read = _read(graph, sublayer, x)
    query = graph.linear(read, sublayer.in_proj.weight[:width], sublayer.in_proj.bias[:width])
    rows = graph.size(keys_values[0], 0)
    shape = graph.op("Concat", [rows, graph.constant([-1, heads, width // heads])], axis=0)
    query = graph.op("Transpose", [graph.op("Reshape", [query, shape])], perm=[0, 2, 1, 3])
    keys, values = keys_values
    attended, weights = _attended(graph, sublayer, query, keys, values, mask)
    attended = graph.op("Reshape", [attended, graph.op("Shape", [x])])
    output = graph.linear(attended, sublayer.out_proj.weight, sublayer.out_proj.bias)
    # [M, H, R / M * T, S] -> [M, R / M * T, H, S] -> [R, T, H, S] -> [R, H, T, S]
    sizes = [graph.size(x, 0), graph.size(x, 1), graph.constant([heads]), graph.size(keys_values[0], 2)]
    weights = graph.op("Transpose", [weights], perm=[0, 2, 1, 3])
    weights = graph.op("Reshape", [weights, graph.op("Concat", sizes, axis=0)])
    return _joined(graph, sublayer, x, output), graph.op("Transpose", [weights], perm=[0, 2, 1, 3])


def _memory(graph: Graph, sublayer, cached: str, column: int, past: List[str], present: List[str]) -> List[str]:
    """The memory's keys and values [M, H, S, D]: from the cache, or projected."""
    width = sublayer.width
    old, fresh = graph.inner(), graph.inner()
    for given, name in zip(past, present):
        old.op("Identity", [given], name + "_first")
    bounds = [fresh.constant([number]) for number in (column, column + width, 2)]
    memory = fresh.op("Slice", ["encoder_hidden_states", *bounds])
    projected = fresh.linear(memory, sublayer.in_proj.weight[width:], sublayer.in_proj.bias[width:])
    for found, name in zip(_heads(fresh, projected, sublayer.heads, 2), present):
        fresh.rename(found, name + "_second")
    return graph.branch(cached, old, fresh, present)


def _heads(graph: Graph, projected: str, heads: int, parts: int) -> List[str]:
    """[B, T, parts * C] -> parts of [B, H, T, D]."""
    found = graph.op("Split", [projected], parts, axis=-1)
    shaped = [graph.op("Reshape", [one, graph.constant([0, 0, heads, -1])]) for one in found]
    return [graph.op("Transpose", [one], perm=[0, 2, 1, 3]) for one in shaped]


def _attended(graph: Graph, sublayer, query: str, key: str, value: str, mask: str) -> Tuple[str, str]:
    """-> [B, T, H, D], and the weights [B, H, T, S]."""
    query = graph.op("Mul", [query, graph.constant(np.float32(sublayer.scale))])
    scores = graph.op("MatMul", [query, graph.op("Transpose", [key], perm=[0, 1, 3, 2])])
    weights = graph.op("Softmax", [graph.op("Add", [scores, mask])], axis=-1)
    return graph.op("Transpose", [graph.op("MatMul", [weights, value])], perm=[0, 2, 1, 3]), weights


def _feed_forward(graph: Graph, sublayer, x: str, activation: str) -> str:
    inner = graph.linear(_read(graph, sublayer, x), sublayer.fc1.weight, sublayer.fc1.bias)
    output = graph.linear(graph.activation(inner, activation), sublayer.fc2.weight, sublayer.fc2.bias)
    return _joined(graph, sublayer, x, output)


def _read(graph: Graph, sublayer, x: str) -> str:
    return graph.layer_norm(x, sublayer.layer_norm) if sublayer.pre_norm else x


def _joined(graph: Graph, sublayer, x: str, output: str) -> str:
    if sublayer.residual:
        output = graph.op("Add", [x, output])
    return output if sublayer.pre_norm else graph.layer_norm(output, sublayer.layer_norm)


def _integers(name: str, shape: List):
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def _floats(name: str, shape: List):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
