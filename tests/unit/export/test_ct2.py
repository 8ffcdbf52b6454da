import os

import ctranslate2
import numpy as np
import pytest

from swcm_fairseq.export import ct2
from swcm_fairseq.export.layers import standard_model
from tests.support.exports import EXPORTABLE, exportable, forced, log_probabilities
from tests.support.toy import toy_dictionary, toy_model


def written(model, dictionary, folder, quantization=None, silent=()):
    ct2.write_model(str(folder), standard_model(model, list(silent), "ct2"), dictionary.symbols, quantization)
    return ctranslate2.Translator(str(folder), compute_type="default", intra_threads=1)


def scored(translator, dictionary, source, target, tag="[kk]"):
    pieces, symbols = ([dictionary[index] for index in ids.tolist()] for ids in (source, target))
    return np.array(translator.score_batch([pieces], [[tag] + symbols])[0].log_probs[1:])


@pytest.mark.parametrize("name", EXPORTABLE)
def test_log_probabilities_are_ours(name, tmp_path):
    dictionary = toy_dictionary()
    model = exportable(name, dictionary)
    translator = written(model, dictionary, tmp_path)
    for source, target in zip(*forced(dictionary)):
        ours = log_probabilities(model, dictionary, source, target).numpy()
        np.testing.assert_allclose(scored(translator, dictionary, source, target), ours, atol=2e-5)


def test_decoding_step_by_step_gives_the_forced_scores(tmp_path):
    dictionary = toy_dictionary()
    translator = written(exportable("inserted", dictionary), dictionary, tmp_path)
    for source, _ in zip(*forced(dictionary)):
        pieces = [dictionary[index] for index in source.tolist()]
        (found,) = translator.translate_batch(
            [pieces], [["[kk]"]], beam_size=1, max_decoding_length=9, return_scores=True, length_penalty=1e-9
        )
        (forced_found,) = translator.score_batch([pieces], found.hypotheses)
        np.testing.assert_allclose(found.scores[0], sum(forced_found.log_probs[1:-1]), atol=1e-4)


def test_symbols_without_training_have_no_probability(tmp_path):
    dictionary = toy_dictionary()
    model = exportable("inserted", dictionary)
    silent = [dictionary.index("c"), dictionary.index("f")]
    translator = written(model, dictionary, tmp_path, silent=silent)
    source, target = (ids[0] for ids in forced(dictionary))
    target[1] = silent[0]
    found = scored(translator, dictionary, source, target)
    assert found[1] < -1000 and (np.delete(found, 1) > -100).all()


def test_int8_is_small_and_near(tmp_path):
    dictionary = toy_dictionary()
    # As wide as a small encoder: without VNNI, as on a CPU with AVX2 alone, sums of two products stop at 16 bits, which
    # narrow layers, whose numbers are all near their largest, feel most.
    model = toy_model(dictionary, encoder_embed_dim=384, encoder_ffn_embed_dim=512)
    whole, eight = tmp_path / "whole", tmp_path / "eight"
    for folder in (whole, eight):
        folder.mkdir()
    written(model, dictionary, whole)
    translator = written(model, dictionary, eight, "int8")
    size, small = (os.path.getsize(str(folder / "model.bin")) for folder in (whole, eight))
    assert small < 0.6 * size
    source, target = (ids[2] for ids in forced(dictionary))
    ours = log_probabilities(model, dictionary, source, target).numpy()
    np.testing.assert_allclose(scored(translator, dictionary, source, target), ours, atol=0.5)


def test_idle_sublayers_cost_next_to_nothing(tmp_path):
    dictionary = toy_dictionary()
    spec = ct2._spec(standard_model(exportable("custom", dictionary), [], "ct2"))
    names = spec.variables()
    kept = [name for name in names if name.startswith("decoder/") and name.endswith("attention/linear_0/weight")]
    # Fronts look at no source, backs at no past: what is idle has one number a head (of query; of query, key, value).
    shapes = {name: names[name].shape[0] for name in kept}
    idle = {f"decoder/layer_{place}/attention/linear_0/weight": 4 for place in (0, 2, 4, 6)}
    idle.update({f"decoder/layer_{place}/self_attention/linear_0/weight": 4 * 3 for place in (1, 3, 5, 7)})
    assert {name: rows for name, rows in shapes.items() if rows in (4, 4 * 3)} == idle and len(shapes) == 16
