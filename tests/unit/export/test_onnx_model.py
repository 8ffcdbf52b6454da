import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from swcm_fairseq.decoding.engines.folder import onnx_files
from swcm_fairseq.export import onnx_graph, onnx_model
from tests.support.exports import EXPORTABLE, exportable, forced, log_probabilities
from tests.support.toy import toy_dictionary, toy_model

#: What standard layers cannot express, beside some of what they can.
ONLY_HERE = {
    "identity": {"inserted_layers": "identity"},
    "no residual": {"drop_encoder_residual": 1},
    "same-layer": {"cross_attention_memory": "same-layer"},
    "same-layer-input": {"cross_attention_memory": "same-layer-input"},
}
NAMES = [*ONLY_HERE, "inserted", "tiny eps, untied", "odd sizes", "relu"]


class Sessions:
    """The two graphs, run as optimum and transformers.js run them."""

    def __init__(self, folder, eight_bits):
        paths = [str(folder / name) for name in onnx_files(eight_bits)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.add_session_config_entry("session.x64quantprecision", "1")  # no overflow on processors without VNNI
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        self.encoder, self.decoder = (onnxruntime.InferenceSession(path, options) for path in paths)
        self.given = [one.name for one in self.decoder.get_outputs()]
        self.inputs = {one.name: one.shape for one in self.decoder.get_inputs()}

    def start(self, source, ids):
        """source [S], ids [T] -> all outputs; caches of one step, which must be ignored."""
        mask = np.ones((1, len(source)), dtype=np.int64)
        (memory,) = self.encoder.run(None, {"input_ids": source.numpy()[None], "attention_mask": mask})
        self.memory = {"encoder_hidden_states": memory, "encoder_attention_mask": mask}
        caches = {
            name: np.full((1, shape[1], 1, shape[3]), 7, dtype=np.float32)
            for name, shape in self.inputs.items()
            if name.startswith("past_key_values")
        }
        return self._run(ids, caches, False)

    def go_on(self, ids, given):
        """One more step, from the outputs of the last."""
        caches = {
            name.replace("present", "past_key_values"): value
            for name, value in given.items()
            if name.startswith("present")
        }
        return self._run(ids, caches, True)

    def _run(self, ids, caches, cached):
        feed = {**self.memory, **caches, "use_cache_branch": np.array([cached])}
        feed["input_ids"] = np.asarray(ids, dtype=np.int64)[None]
        return dict(zip(self.given, self.decoder.run(self.given, feed)))


def made(name, folder, eight_bits=False):
    dictionary = toy_dictionary()
    model = exportable(name, dictionary) if name in EXPORTABLE else toy_model(dictionary, **ONLY_HERE[name])
    onnx_model.write_model(str(folder), model, [], eight_bits)
    return dictionary, model, Sessions(folder, eight_bits)


@pytest.mark.parametrize("name", NAMES)
def test_log_probabilities_are_ours_at_once_and_step_by_step(name, tmp_path):
    dictionary, model, sessions = made(name, tmp_path)
    start = [dictionary.bos(), dictionary.index("[kk]")]
    for source, target in list(zip(*forced(dictionary)))[1:4:2]:
        ours = log_probabilities(model, dictionary, source, target).numpy()
        wanted = [*target.tolist(), dictionary.eos()]
        logits = torch.tensor(sessions.start(source, start + target.tolist())["logits"][0, 1:])
        found = torch.log_softmax(logits, -1).gather(-1, torch.tensor(wanted)[:, None])[:, 0]
        np.testing.assert_allclose(found.numpy(), ours, atol=2e-5)
        given = sessions.start(source, start)
        for index, symbol in enumerate(wanted):
            step = given["logits"][0, -1, symbol] - given["log_total"][0, 0]
            np.testing.assert_allclose(step, ours[index], atol=2e-5)
            given = sessions.go_on([symbol], given)


@pytest.mark.parametrize("name", ["inserted", "same-layer"])
def test_the_graphs_are_whole(name, tmp_path):
    made(name, tmp_path)
    for name in onnx_files(False):
        onnx.checker.check_model(str(tmp_path / name), full_check=True)


def test_weights_that_one_file_cannot_hold_lie_beside_it_and_transformers_js_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "_MOST_IN_ONE_FILE", 60_000)
    dictionary, model, sessions = made("inserted", tmp_path)
    assert (tmp_path / "onnx" / "decoder_model_merged.onnx_data").stat().st_size > 60_000
    told = onnx_model.javascript_settings(str(tmp_path), False)["transformers.js_config"]
    beside = sorted(path.name for path in (tmp_path / "onnx").glob("*_data"))
    assert told == {"dtype": "fp32", "use_external_data_format": {name[: -len("_data")]: 1 for name in beside}}
    source, target = (ids[2] for ids in forced(dictionary))
    logits = torch.tensor(sessions.start(source, [0, dictionary.index("[kk]"), *target.tolist()])["logits"][0, 1:])
    found = torch.log_softmax(logits[: len(target)], -1).gather(-1, target[:, None])[:, 0]
    np.testing.assert_allclose(found, log_probabilities(model, dictionary, source, target)[:-1], atol=2e-5)


def test_rows_of_a_beam_share_the_memory(tmp_path):
    dictionary, _, sessions = made("inserted", tmp_path)
    source, target = (ids[2] for ids in forced(dictionary))
    given = sessions.start(source, [dictionary.bos(), dictionary.index("[kk]")])
    ids = target[:3].tolist()
    apart = [sessions.go_on([one], given) for one in ids]
    shared = {
        name: value.repeat(3, axis=0) if ".decoder." in name else value
        for name, value in given.items()
        if name.startswith("present")
    }
    feed = {name.replace("present", "past_key_values"): value for name, value in shared.items()}
    feed.update(sessions.memory, use_cache_branch=np.array([True]), input_ids=np.array(ids)[:, None])
    together = dict(zip(sessions.given, sessions.decoder.run(sessions.given, feed)))
    for row, one in enumerate(apart):
        for name in ("logits", "attention", "best_logits"):
            np.testing.assert_allclose(together[name][row], one[name][0], atol=1e-5)


def test_what_a_search_wants_is_the_last_positions(tmp_path):
    dictionary, _, sessions = made("inserted", tmp_path)
    source, target = (ids[3] for ids in forced(dictionary))
    given = sessions.start(source, [dictionary.bos(), *target.tolist()])
    last = given["logits"][0, -1]
    assert given["best_ids"][0].tolist() == np.argsort(-last, kind="stable")[:16].tolist()
    np.testing.assert_allclose(given["log_total"][0, 0], np.log(np.exp(last).sum()), atol=1e-5)
    np.testing.assert_allclose(given["attention"].sum(-1), 1, atol=1e-5)


def test_int8_is_small_and_near(tmp_path):
    whole, eight = tmp_path / "whole", tmp_path / "eight"
    for folder in (whole, eight):
        folder.mkdir()
    dictionary, model, _ = made("inserted", whole)
    _, _, sessions = made("inserted", eight, eight_bits=True)
    source, target = (ids[2] for ids in forced(dictionary))
    logits = torch.tensor(sessions.start(source, [0, dictionary.index("[kk]"), *target.tolist()])["logits"][0, 1:])
    wanted = torch.cat([target, torch.tensor([dictionary.eos()])])
    found = torch.log_softmax(logits, -1).gather(-1, wanted[:, None])[:, 0]
    np.testing.assert_allclose(found, log_probabilities(model, dictionary, source, target), atol=0.5)
