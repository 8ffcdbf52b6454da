"""Near-duplicates by MinHash: estimates against exact overlaps, and a memory against a plain one."""

import random

from swcm_preprocess.filters.near_duplicates import LENGTH, NUMBERS, SHORTEST, NearSeen, signatures
from swcm_preprocess.overlap import fingerprint

import numpy as np


def make_texts(number, seed=1):
    rng = random.Random(seed)
    words = ["".join(rng.choice("абвгдежзик") for _ in range(rng.randint(2, 7))) for _ in range(300)]
    texts = []
    for _ in range(number):
        if texts and rng.random() < 0.4:
            parts = rng.choice(texts).split()
            for _ in range(rng.randint(0, 3)):
                parts[rng.randrange(len(parts))] = rng.choice(words)
            texts.append(" ".join(parts))
        else:
            texts.append(" ".join(rng.choice(words) for _ in range(rng.randint(8, 20))))
    return texts


def stretches(text):
    marked = "\x02" + fingerprint(text) + "\x03"
    return {marked[i : i + LENGTH] for i in range(len(marked) - LENGTH + 1)}


def jaccard(a, b):
    return len(stretches(a) & stretches(b)) / len(stretches(a) | stretches(b))


def test_signatures_estimate_the_overlap():
    texts = make_texts(120)
    found = signatures(texts)
    errors = []
    for i in range(0, 120, 2):
        for j in range(1, 120, 7):
            errors.append((found[i] == found[j]).mean() - jaccard(texts[i], texts[j]))
    # The error of an estimate from 64 numbers is at most 0.0625 (one standard deviation), and has no direction.
    assert np.sqrt(np.mean(np.square(errors))) < 0.0625 and abs(np.mean(errors)) < 0.01


def test_signatures_do_not_depend_on_what_else_is_in_the_batch():
    texts = make_texts(30) + ["ab", "", "བོད་ཡིག་གི་ཚིག་གྲུབ་གཅིག་ཡིན།", "\U00020000" * 20]
    together = signatures(texts)
    assert all((together[i] == signatures([text])[0]).all() for i, text in enumerate(texts))
    assert not together[30:32].any() and together[32:].any(axis=1).all()
    assert (signatures(["Бірінші, екінші үшінші 12!"]) == signatures(["бірінші екінші, үшінші 7"])).all()


def test_what_is_dropped_is_near_and_what_is_kept_is_not():
    texts = make_texts(600)
    seen = NearSeen(0.8)
    new = []
    for start, stop in ((0, 1), (1, 250), (250, 260), (260, 600)):
        new += seen.first_times(signatures(texts[start:stop]))
    assert seen.count == sum(new)
    kept = []
    missed = 0
    for text, is_new in zip(texts, new):
        nearest = max((jaccard(text, other) for other in kept), default=0.0)
        if is_new:
            missed += nearest > 0.9
            kept.append(text)
        else:
            assert nearest > 0.6  # three standard errors under 0.8
    assert 50 < new.count(False) < 400
    # Bands of 8 find a pair that shares 0.9 with a probability of 0.99.
    assert missed <= 3


def test_batches_do_not_matter():
    """A killed run takes up what it kept in other batches than it came in."""
    texts = make_texts(3000, seed=3)
    found = signatures(texts)
    whole = NearSeen(0.8)
    expected = whole.first_times(found)
    for size in (1, 7, 500):
        parts = NearSeen(0.8)
        new = [each for start in range(0, len(texts), size) for each in parts.first_times(found[start : start + size])]
        assert new == expected
    kept = found[np.array(expected)]
    assert all(NearSeen(0.8).first_times(kept))
    assert sum(len(run) for run, _ in whole._bands[0].runs) <= whole.count  # one entry a key and band


def test_short_texts_are_compared_by_nothing_but_equality():
    assert len("белгі") < SHORTEST
    assert NearSeen(0.8).first_times(signatures(["белгі", "белгі 2"])) == [True, True]
    assert signatures([]).shape == (0, NUMBERS)


def test_a_process_that_is_forked_afterwards_can_go_on(run):
    """A library that has started threads would have it wait for ever."""
    program = (
        "import multiprocessing as m\n"
        "from swcm_preprocess.filters.near_duplicates import signatures\n"
        "texts = ['line {} of a text that is long enough'.format(i) for i in range(3000)]\n"
        "signatures(texts)\n"
        "pool = m.get_context('fork').Pool(1)\n"
        "assert pool.apply_async(signatures, (texts,)).get(60).any()\n"
        "pool.terminate()\n"
    )
    run(["python", "-c", program])
