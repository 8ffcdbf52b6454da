"""The benchmark against other systems: that it compares like with like, and counts what it says it counts."""

import json
import random
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from recipes.benchmark.speed import __main__ as command
from recipes.benchmark.speed import growth, measure, operations, plot, processes, report, workload
from swcm_fairseq.errors import SwcmError

torch = pytest.importorskip("torch")

from recipes.benchmark.speed import forced_lengths, memory, worker  # noqa: E402

LENGTHS = [(5, 4), (9, 7), (3, 2), (6, 8)]
SYSTEMS = ["ours", "fairseq", "hf"]


@pytest.fixture(scope="module")
def case():
    """The settings of a model that is built in a moment."""
    args = command.arguments(
        "--vocabulary 60 --dtype float32 --layers 3 --width 16 --heads 2 --threads 1 --device cpu --batches 2".split()
    )
    return command.full_case(args, command.base_case(args), 60, "float32")


def build(system, case, purpose):
    if system == "hf":
        pytest.importorskip("transformers")
    return worker.Worker(system, case, purpose)


# ---------------------------------------------------------------------- the same sentences for all


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_is_given_the_sentences_that_were_drawn(system, case):
    found, counts = build(system, case, "generate").make("a", LENGTHS, 3)
    assert found == workload.fingerprint(workload.pairs_of(LENGTHS, 60, 3))
    # Of 36 and 32 places in the padded batch.
    assert counts == (5 + 9 + 3 + 6, 4 + 7 + 2 + 8)


def test_one_process_is_asked_for_on_a_machine_with_several_gpus(case, monkeypatch):
    """fairseq's default is all GPUs of the machine, and a trainer that then waits for the others."""
    from fairseq import options

    asked, stock = [], options.parse_args_and_arch

    def parse(parser, input_args):
        parser.set_defaults(distributed_world_size=4)
        args = stock(parser, input_args=input_args)
        asked.append(args.distributed_world_size)
        return args

    monkeypatch.setattr(options, "parse_args_and_arch", parse)
    build("ours", case, "generate")
    assert asked == [1]


def test_sentences_are_of_their_lengths_and_in_the_vocabulary():
    pairs = workload.pairs_of(LENGTHS, 60, 3)
    assert [(len(source), len(target)) for source, target in pairs] == LENGTHS
    for source, target in pairs:
        assert source[0] == workload.BOS and source[-1] == target[-1] == workload.EOS
        # 0 to 3 are specials, 58 is <mask>, 59 the language's tag.
        assert all(4 <= piece < 58 for piece in source[1:-1] + target[:-1])
    assert pairs == workload.pairs_of(LENGTHS, 60, 3) != workload.pairs_of(LENGTHS, 60, 4)


class Child:
    """A process that says of its batches what it is told to."""

    def __init__(self, *answers):
        self.answers = iter(answers)

    def ask(self, name, *arguments):
        return next(self.answers)


def test_systems_that_hold_different_sentences_are_refused():
    right = ("aa", (23, 21))
    processes.make_batches({"ours": Child(right), "hf": Child(right)}, [LENGTHS], 0)
    with pytest.raises(SwcmError, match="batch 0"):
        processes.make_batches({"ours": Child(right), "hf": Child(("bb", (23, 21)))}, [LENGTHS], 0)


def test_padding_that_is_counted_as_text_is_refused():
    padded = ("aa", (36, 32))
    with pytest.raises(SwcmError, match=r"\(23, 21\) are wanted"):
        processes.make_batches({"ours": Child(padded)}, [LENGTHS], 0)


# ---------------------------------------------------------------------- lengths and batches


def test_training_batches_are_full_but_not_fuller_and_of_like_lengths():
    lengths = [(random.Random(i).randint(3, 40), random.Random(-i).randint(2, 40)) for i in range(200)]
    batches = workload.training_batches(lengths, 120, 5, seed=1)
    assert len(batches) == 5
    for batch in batches:
        padded = max(max(pair) for pair in batch) * len(batch)
        assert 60 <= padded <= 120
        assert set(batch) <= set(lengths)
    longest = [max(source for source, _ in batch) for batch in batches]
    assert longest == sorted(longest) and longest[0] < longest[-1]


def test_decoding_batches_have_the_size_asked_for():
    assert [len(batch) for batch in workload.decoding_batches(LENGTHS, 3, 2, seed=1)] == [3, 3]


def test_a_batch_of_pieces_has_just_so_many():
    batch = workload.batch_of_pieces(workload.read_lengths(workload.BUILT_IN), 2048, seed=1)
    assert sum(target for _, target in batch) == 2048


def test_lengths_of_a_file_count_the_specials_that_are_put_around(tmp_path):
    path = tmp_path / "lengths"
    path.write_text("# source target\n3 4\n\n10 1\n")
    assert workload.read_lengths(str(path)) == [(5, 5), (12, 2)]


def test_all_bad_lines_of_a_file_are_named(tmp_path):
    path = tmp_path / "lengths"
    path.write_text("3 4\n3\n0 4\n3 x\n")
    with pytest.raises(SwcmError) as error:
        workload.read_lengths(str(path))
    assert [problem.split(":")[1] for problem in error.value.problems] == ["2", "3", "4"]


def test_lengths_of_a_data_folder_are_those_of_its_training_pairs(tmp_path):
    from recipes.benchmark.speed.fairseq_systems import write_data_bin

    write_data_bin(str(tmp_path), 20)  # one pair of a single piece
    assert workload.read_lengths(str(tmp_path)) == [(3, 2)]


# ---------------------------------------------------------------------- forced lengths


def test_the_end_is_forbidden_until_it_is_forced():
    scores = torch.zeros(3, 2, 6)
    forced_lengths.force(scores, torch.tensor([4, 3, 2]), written=2)
    infinite = scores.eq(-float("inf"))
    assert infinite[0].sum() == 2 and infinite[0, :, workload.EOS].all()  # one piece and the end to go
    assert infinite[1].sum() == 10 and not infinite[1, :, workload.EOS].any()  # the last one
    assert not infinite[2].any()  # has ended


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_hypothesis_is_as_long_as_its_reference(system, beam, case):
    process = build(system, case, "generate")
    process.make("a", LENGTHS, 3)
    _, written = process.generate("a", beam)
    assert written == [[target] * beam for _, target in LENGTHS]


def test_lengths_that_were_not_kept_are_refused():
    measure.check_lengths("hf", [[4, 4], [7, 7]], [(5, 4), (9, 7)], 2)
    with pytest.raises(SwcmError, match=r"wrote \[7, 6\] where \[7, 7\]"):
        measure.check_lengths("hf", [[4, 4], [7, 6]], [(5, 4), (9, 7)], 2)


# ---------------------------------------------------------------------- training and memory


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_step_changes_every_weight_that_it_can(system, case):
    process = build(system, case, "train")
    process.make("a", LENGTHS, 3)
    before = [parameter.detach().clone() for parameter in process.system.parameters()]
    for _ in range(3):  # the first rate is zero or nearly so
        process.train("a")
    after = process.system.parameters()
    unchanged = sum(torch.equal(a, b) for a, b in zip(before, after))
    assert unchanged == 0


def test_lasting_memory_is_weights_gradients_and_two_moments(case):
    process = build("hf", case, "train")
    process.make("a", LENGTHS, 3)
    process.train("a")
    lasting, absent = worker.lasting_bytes(process.system, memory.bytes_of)
    count = process.parameters()
    tensors = len(process.system.parameters())
    assert absent == 4 * count  # zero_grad has let the gradients go
    assert lasting == 12 * count + 4 * tensors  # each tensor has a count of its steps


def test_shared_memory_counts_once():
    one = torch.zeros(10)
    assert memory.bytes_of([one, one[:5], None, torch.zeros(2, dtype=torch.bfloat16)]) == 44


def test_peak_is_what_is_there_at_once_and_not_what_stays(repo):
    """In a process of its own, as the benchmark has it: what others left there would be counted too."""
    program = """if True:
        import torch
        from recipes.benchmark.speed import memory

        def work():
            for _ in range(3):
                torch.ones(2**24)  # 64 MiB, freed before the next

        print(memory.peak_above(work, "cpu"))
    """
    above = int(subprocess.check_output([sys.executable, "-c", program], cwd=str(repo)))
    assert 0.95 * 2**26 <= above < 1.5 * 2**26  # the system counts pages


# ---------------------------------------------------------------------- ratios and operations


def test_ratios_are_medians_of_rounds_and_above_one_where_ours_is_quicker():
    def seconds(*values):
        return [{"wall": value, "processor": value} for value in values]

    machine = [{"matrix": 1.0, "memory": 1.0}] * 3
    rounds = {"ours": seconds(1, 2, 4), "hf": seconds(3, 4, 20), "machine": machine}
    result = measure._summary(rounds, 100, "rate")
    assert result["systems"]["hf"]["times_ours"] == 3  # of 3, 2 and 5
    assert result["systems"]["hf"]["rate"] == 25
    assert "times_ours" not in result["systems"]["ours"]


def test_each_round_begins_with_another_system():
    assert [processes.in_turn("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_peers_have_as_many_weights_as_ours(case):
    # Four layers of 24 C^2 and one of 16 C^2 are seven of 16 C^2.
    ours = operations.Shape(64, 256, 1000, 4, self_attentions=5, cross_attentions=5, feed_forwards=9)
    assert operations.matched_layers(ours) == 7
    counts = {system: build(system, case, "generate").parameters() for system in ("ours", "fairseq")}
    assert counts["fairseq"] == pytest.approx(counts["ours"], rel=0.25)  # positions are most of the difference


def test_operations_by_hand():
    # C = 2, F = 3, V = 5, one layer each; 3 source and 2 target pieces.
    shape = operations.Shape(2, 3, 5, 1, self_attentions=1, cross_attentions=1, feed_forwards=1)
    # Each piece: four 2x2 and two 2x3 matrices; each pair of pieces: a score and a weighted row of 2.
    assert operations.encoding(shape, 3) == 2 * (3 * (16 + 12) + 9 * 2 * 2)
    # Target: four 2x2 of its own, two across, 2x3 twice, 2x5; source: two 2x2; 3 causal and 6 cross pairs.
    assert operations.decoding(shape, 3, 2) == 2 * (2 * (16 + 8 + 12 + 10) + 3 * 8 + 3 * 4 + 6 * 4)


@pytest.mark.parametrize("system", ["ours", "hf"])
def test_operations_are_about_those_that_torch_counts(system, case):
    counter = pytest.importorskip("torch.utils.flop_counter")
    process = build(system, case, "train")
    lengths = [(30, 30)] * 4
    process.make("a", lengths, 3)
    process.train("a")
    with counter.FlopCounterMode(display=False) as count:
        process.train("a")
    needed = operations.training_operations(case["shapes"][system], lengths)
    # They count scores that causal attention throws away, and ours puts a <s> before each target.
    assert 1.0 <= count.get_total_flops() / needed < 1.25


# ---------------------------------------------------------------------- the command


def test_the_whole_command_on_a_tiny_model(run, repo, tmp_path):
    pytest.importorskip("transformers")
    arguments = "--what train,memory --systems ours,hf --vocabulary 60 --dtype bf16 --layers 3 --width 16 --heads 2"
    arguments += " --threads 1 --rounds 1 --batches 1 --max-tokens 40 --memory-pieces 40 --device cpu"
    script = repo / "recipes" / "benchmark" / "speed.sh"
    done = run(["bash", script, *arguments.split(), "--json", tmp_path / "out.json"])
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [result["section"] for result in results] == ["train", "memory"]
    for result in results:
        assert set(result["systems"]) == {"ours", "hf"}
        assert result["systems"]["hf"]["times_ours"] > 0
    assert results[0]["systems"]["ours"]["parameters"] < results[0]["systems"]["hf"]["parameters"]
    assert done.stdout.count("Hugging Face") == 2


def test_growth_is_a_curve_for_each_and_drawn():
    curves = {what: {kind: [(16, 0.001), (32, 0.002)] for kind in plot.AXES} for what in ("train", "generate")}
    drawing = xml.etree.ElementTree.fromstring(plot.svg(curves))
    names = [element.tag.split("}")[1] for element in drawing.iter()]
    assert names.count("circle") == 12
    lines = report.lines_of(
        {"section": "growth", "case": {"dtype": "bf16", "device": "cpu", "threads": 1}, "seconds_per_piece": curves}
    )
    assert "2.00" in lines[-1]


def test_ticks():
    assert plot.ticks(0.8, 12) == [1, 2, 5, 10]


def test_growth_measures_what_it_says(case):
    found = growth.growth(lambda vocabulary: dict(case, vocabulary=vocabulary), [60, 80], 1, 1, (4, 8), (1, 2))
    assert [x for x, _ in found["generate"]["length"]] == [4, 8]
    assert [x for x, _ in found["train"]["vocabulary"]] == [60, 80]
    assert all(seconds > 0 for curves in found.values() for points in curves.values() for _, seconds in points)
