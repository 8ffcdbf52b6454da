"""The package's model and fairseq's own transformer, both through fairseq's Trainer and generator.

No loop of this benchmark's own: a step is ``Trainer.train_step``, decoding is ``task.inference_step``, with the flags
of recipes/train.sh and recipes/evaluate.sh.
"""

import contextlib
import io
import os
import tempfile

import torch
from fairseq import options, tasks, utils
from fairseq.data import indexed_dataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer
from omegaconf import open_dict

from swcm_fairseq.data.batch import Example, collate
from swcm_fairseq.fairseq_patches.commands import allow_bf16_off_tpus
from swcm_fairseq.languages import tag_of
from swcm_fairseq.models import xlm_swcm  # noqa: F401  (registered, as --user-dir does)
from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401

from .forced_lengths import force_lengths
from .workload import EOS, NO_TEXT, PAD, SPECIALS

SOURCE, TARGET = "zh", "kk"

# recipes/train.sh
RECIPE = """
    --optimizer adamw --adam-betas (0.9,0.98) --weight-decay 0.01 --clip-norm 1.0
    --lr 5e-4 --lr-scheduler polynomial_decay --warmup-updates 100 --total-num-update 100000
    --label-smoothing 0.1 --dropout 0.1 --attention-dropout 0.1 --required-batch-size-multiple 1
    --disable-validation --no-save
"""
OURS = """
    --task swcm_finetuning --lang-pairs zh-kk --arch xlm_swcm --criterion swcm_cross_entropy
    --encoder-layers {layers} --encoder-embed-dim {width} --encoder-ffn-embed-dim {inner}
    --encoder-attention-heads {heads} --insert-normal-every {insert_every} --max-positions {max_positions}
"""
# Post-norm as ours is, and as many weights; the rest is fairseq's default (relu, positions that are not learned).
THEIRS = """
    --task translation --source-lang zh --target-lang kk --arch transformer --criterion label_smoothed_cross_entropy
    --encoder-layers {layers} --encoder-embed-dim {width} --encoder-ffn-embed-dim {inner}
    --encoder-attention-heads {heads} --decoder-layers {decoder_layers} --decoder-embed-dim {width}
    --decoder-ffn-embed-dim {inner} --decoder-attention-heads {heads} --share-all-embeddings
    --max-source-positions {max_positions} --max-target-positions {max_positions}
"""


class FairseqSystem:
    """What both have in common.

    Args:
        case: the sizes and settings of ``__main__``.
        purpose: "train" or "generate"; only the former makes a trainer.
    """

    flags = ""

    def __init__(self, case, purpose: str):
        self.case = case
        torch.manual_seed(case["seed"])
        with tempfile.TemporaryDirectory() as folder:
            write_data_bin(folder, case["vocabulary"])
            self.cfg = self._configuration(folder)
            allow_bf16_off_tpus(self.cfg)
            self.task = tasks.setup_task(self.cfg.task)
            with contextlib.redirect_stdout(io.StringIO()):
                self.model = self.task.build_model(self.cfg.model)
            if purpose == "train":
                criterion = self.task.build_criterion(self.cfg.criterion)
                self.trainer = Trainer(self.cfg, self.task, self.model, criterion)
        if purpose == "train":
            # It would set torch's mark of the highest memory back at every step.
            self.trainer.cuda_env = None
        else:
            # As fairseq-generate prepares a model.
            self.model.to(case["device"], torch.bfloat16 if case["dtype"] == "bf16" else torch.float32)
            self.model.prepare_for_inference_(self.cfg)
            self.model.eval()
        self.generators = {}

    def _configuration(self, folder: str):
        case = self.case
        flags = [folder, "--save-dir", folder, "--max-tokens", str(case["max_tokens"]), "--seed", str(case["seed"])]
        flags += (self.flags + RECIPE).format(**case).split()
        flags += ["--distributed-world-size", "1"]  # fairseq takes all GPUs of the machine
        flags += ["--bf16"] * (case["dtype"] == "bf16") + ["--cpu"] * (case["device"] == "cpu")
        return convert_namespace_to_omegaconf(
            options.parse_args_and_arch(options.get_training_parser(), input_args=flags)
        )

    def batch(self, pairs):
        """The sentences in the form that the model takes, padded."""
        examples = [
            Example(number, torch.tensor(source), torch.tensor(target), self.first_input())
            for number, (source, target) in enumerate(pairs)
        ]
        return collate(examples, PAD, EOS)

    def first_input(self) -> int:
        """The piece that the decoder begins with."""
        raise NotImplementedError

    def sentences(self, batch):
        """The pieces that count in ``batch``, as lists: what the model is really given to learn from."""
        sides = zip(batch["net_input"]["src_tokens"].tolist(), batch["target"].tolist())
        return [tuple([piece for piece in side if piece != PAD] for side in pair) for pair in sides]

    def train(self, batch) -> None:
        """One step: forward, backward, optimizer."""
        self.trainer.train_step([batch])

    def generate(self, batch, beam: int):
        """Decode, every sentence to its reference's length; returns the lengths of all hypotheses, </s> included."""
        if beam not in self.generators:
            with open_dict(self.cfg):
                self.cfg.generation.beam = beam
                self.cfg.generation.max_len_b = self.case["max_positions"] - 2
            self.generators[beam] = self.task.build_generator([self.model], self.cfg.generation)
        sample = utils.move_to_cuda(batch) if self.case["device"] == "cuda" else batch
        lengths = sample["target"].ne(PAD).sum(1)
        with force_lengths(self.generators[beam], lengths):
            found = self.task.inference_step(self.generators[beam], [self.model], sample)
        return [[len(hypothesis["tokens"]) for hypothesis in best] for best in found]

    def parameters(self):
        return list(self.model.parameters())

    def optimizer(self):
        """torch's own."""
        return self.trainer.optimizer.optimizer


class Ours(FairseqSystem):
    """``xlm_swcm``, drawn at random instead of started from an encoder."""

    flags = OURS

    def first_input(self) -> int:
        return self.task.target_dictionary.index(tag_of(TARGET))


class Transformer(FairseqSystem):
    """fairseq's ``transformer`` with ``case["decoder_layers"]`` decoder layers."""

    flags = THEIRS

    def first_input(self) -> int:
        return EOS


def write_data_bin(folder: str, vocabulary: int) -> None:
    """A data folder as recipes/binarize.sh leaves it, with a dictionary of ``vocabulary`` rows and one pair."""
    pieces = [f"p{number}" for number in range(vocabulary - SPECIALS - NO_TEXT)]
    lines = "".join(f"{symbol} 1\n" for symbol in pieces + ["<mask>", tag_of(TARGET)])
    for side in (SOURCE, TARGET):
        with open(os.path.join(folder, f"dict.{side}.txt"), "w", encoding="utf-8") as stream:
            stream.write(lines)
        prefix = os.path.join(folder, f"train.{SOURCE}-{TARGET}.{side}")
        builder = indexed_dataset.make_builder(prefix + ".bin", impl="mmap", vocab_size=vocabulary)
        builder.add_item(torch.tensor([SPECIALS, EOS]))
        builder.finalize(prefix + ".idx")
