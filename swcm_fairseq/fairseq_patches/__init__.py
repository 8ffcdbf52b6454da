"""What this package changes in fairseq: the table below, and nothing else.

Loading the plug-in replaces one function, ``call_main``, with which fairseq's commands begin. The rest of the table is
in place only while a command runs a task or a model of this package; other people's, under the same ``--user-dir``, run
in stock fairseq. ``swcm_fairseq.from_pretrained`` replaces nothing. A fairseq whose parts are not what the table knows
is refused in one error.

``python -m swcm_fairseq.fairseq_patches`` prints the table.
"""

import contextlib
import sys
from typing import Iterator

from ..errors import report_without_traceback
from . import (
    amp,
    batch_by_size,
    commands,
    data_order,
    data_parallel,
    fp32_masters,
    half_precision,
    interactive_input,
    loading,
    no_repeat_ngram,
    patience,
    process_count,
    reduce_lr_on_plateau,
    resuming,
    save_dir_lock,
    waiting,
    writing,
)
from .patch import Patch, instead, replaced

NEVER, FIXED = "no fairseq offers a place for it", "a fairseq that has it mended"


@instead
def _call_main(stock, cfg, main, **options):
    return commands.call_main(applied, stock, cfg, main, **options)


COMMANDS = Patch(
    "fairseq.distributed.utils.call_main",
    _call_main,
    "cfg main kwargs",
    "puts the rest of this table in place for commands that run our tasks and models; --bf16 is no TPU; processes that "
    "would train apart are refused; an error for the user is one line",
    NEVER,
)

PATCHES = [
    Patch(
        "fairseq.checkpoint_utils.torch",
        loading.torch_for_checkpoints,
        None,
        "checkpoints are loaded by torch_files.safe_load: before torch 2.6 fairseq runs what a pickle says",
        "torch 2.6 as the oldest, for the pickles; settings that are programs stay",
    ),
    Patch(
        "fairseq.checkpoint_utils.verify_checkpoint_directory",
        save_dir_lock.verify_checkpoint_directory,
        "save_dir",
        "two trainings never save into one folder",
        NEVER,
    ),
    Patch(
        "fairseq.checkpoint_utils.load_model_ensemble_and_task",
        loading.load_model_ensemble_and_task,
        "filenames arg_overrides task strict suffix num_shards state",
        "a model is not used with data of another dictionary than the one beside its checkpoint",
        NEVER,
    ),
    Patch(
        "fairseq.optim.lr_scheduler.reduce_lr_on_plateau.ReduceLROnPlateauLRSchedule.state_dict",
        reduce_lr_on_plateau.state_dict,
        "self",
        "--lr-scheduler reduce_lr_on_plateau: checkpoints keep how long it has waited",
        FIXED,
    ),
    Patch(
        "fairseq.optim.lr_scheduler.reduce_lr_on_plateau.ReduceLROnPlateauLRSchedule.load_state_dict",
        reduce_lr_on_plateau.load_state_dict,
        "self state_dict",
        "and a resumed run waits on from there",
        FIXED,
    ),
    Patch(
        "fairseq.checkpoint_utils.load_checkpoint",
        reduce_lr_on_plateau.load_checkpoint,
        "cfg trainer passthrough_args",
        "it is told of the score of the epoch that a checkpoint ended",
        FIXED,
    ),
    Patch(
        "fairseq.checkpoint_utils.load_checkpoint",
        resuming.load_checkpoint,
        "cfg trainer passthrough_args",
        "a run killed within a save goes on from its newest whole checkpoint",
        FIXED,
    ),
    Patch(
        "fairseq.checkpoint_utils.save_checkpoint",
        waiting.save_checkpoint,
        "cfg trainer epoch_itr val_loss",
        "processes wait for a checkpoint that is being written as long as it takes, not as long as NCCL does",
        FIXED,
    ),
    Patch(
        "fairseq.checkpoint_utils.torch_persistent_save",
        writing.torch_persistent_save,
        "obj filename async_write",
        "a checkpoint is the old file or the whole new one; a full disk is said",
        FIXED,
    ),
    Patch(
        "fairseq.file_io.PathManager.copy",
        writing.copy_file,
        "src_path dst_path overwrite",
        "the same for checkpoint_best.pt and checkpoint_last.pt, which are copied",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.get_train_iterator",
        data_order.get_train_iterator,
        "self epoch combine load_dataset data_selector shard_batch_itr disable_iterator_cache",
        "a resumed run sees the batches that it would have seen; processes that read data end with their epoch",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.get_valid_iterator",
        data_order.get_valid_iterator,
        "self subset disable_iterator_cache",
        "the same for validation",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.save_checkpoint",
        patience.save_checkpoint,
        "self filename extra_state",
        "checkpoints keep how long --patience has waited",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.load_checkpoint",
        patience.load_checkpoint,
        "self filename reset_optimizer reset_lr_scheduler optimizer_overrides reset_meters",
        "and a resumed run waits on from there",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.save_checkpoint",
        process_count.save_checkpoint,
        "self filename extra_state",
        "checkpoints keep how many processes there were",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.load_checkpoint",
        process_count.load_checkpoint,
        "self filename reset_optimizer reset_lr_scheduler optimizer_overrides reset_meters",
        "and another number of them sees each batch of the epoch once all the same",
        FIXED,
    ),
    Patch(
        "fairseq.trainer.Trainer.load_checkpoint",
        loading.load_checkpoint,
        "self filename reset_optimizer reset_lr_scheduler optimizer_overrides reset_meters",
        "checkpoints are mapped, not read by every process; what the optimizer keeps of one is its own",
        NEVER,
    ),
    Patch(
        "fairseq.optim.fp16_optimizer._FP16OptimizerMixin.state_dict",
        fp32_masters.state_dict,
        "self",
        "--bf16 and --fp16: checkpoints keep the float32 masters, not the rounded parameters alone",
        FIXED,
    ),
    Patch(
        "fairseq.optim.fp16_optimizer._FP16OptimizerMixin.load_state_dict",
        fp32_masters.load_state_dict,
        "self state_dict optimizer_overrides",
        "and a resumed run goes on from them",
        FIXED,
    ),
    Patch(
        "fairseq.optim.fp16_optimizer._FP16OptimizerMixin._sync_fp16_grads_to_fp32",
        half_precision.gradients_to_masters,
        "self",
        "--bf16 on a GPU: gradients are copied to the float32 masters all at once, not tensor by tensor",
        FIXED,
    ),
    Patch(
        "fairseq.optim.fp16_optimizer._FP16OptimizerMixin._sync_fp32_params_to_fp16",
        half_precision.masters_to_parameters,
        "self",
        "and the masters to the parameters",
        FIXED,
    ),
    Patch(
        "fairseq.optim.fp16_optimizer._FP16OptimizerMixin.zero_grad",
        half_precision.zero_grad,
        "self",
        "and set to zero",
        FIXED,
    ),
    Patch(
        "fairseq.optim.amp_optimizer.AMPOptimizer.step",
        amp.step,
        "self",
        "--amp: gradients are unscaled once, not twice",
        FIXED,
    ),
    Patch(
        "fairseq.optim.amp_optimizer.AMPOptimizer.state_dict",
        amp.state_dict,
        "self",
        "--amp: checkpoints keep the loss scale",
        FIXED,
    ),
    Patch(
        "fairseq.optim.amp_optimizer.AMPOptimizer.load_state_dict",
        amp.load_state_dict,
        "self state_dict optimizer_overrides",
        "and a resumed run goes on with it",
        FIXED,
    ),
    Patch(
        "fairseq.models.distributed_fairseq_model.DistributedDataParallel",
        data_parallel.on_any_device,
        None,
        "several processes train on CPUs: fairseq names a CUDA device to torch's wrapper",
        FIXED,
    ),
    Patch(
        "fairseq.data.data_utils.batch_by_size",
        batch_by_size.batch_by_size,
        "indices num_tokens_fn num_tokens_vec max_tokens max_sentences required_batch_size_multiple fixed_shapes",
        "the last batch is not dropped where --required-batch-size-multiple does not divide it (issues 5036, 5351)",
        FIXED,
    ),
    Patch(
        "fairseq.ngram_repeat_block.NGramRepeatBlock._no_repeat_ngram",
        no_repeat_ngram.no_repeat_ngram,
        "self tokens lprobs bsz beam_size step",
        "--no-repeat-ngram-size forbids what it says (issues 4709, 5206)",
        FIXED,
    ),
]

#: Where fairseq-interactive runs: loading the module elsewhere would set up its log.
TYPED = Patch(
    "fairseq_cli.interactive.buffered_read",
    interactive_input.replacement,
    "input buffer_size",
    "a typed line that is not UTF-8 is named",
    NEVER,
)

_active = False


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """``PATCHES`` in their places until the block ends; within another such block, nothing more.

    Raises:
        SwcmError: this fairseq is not one that they know.
    """
    global _active
    if _active:
        yield
        return
    with replaced([*PATCHES, TYPED] if "fairseq_cli.interactive" in sys.modules else PATCHES):
        _active = True
        try:
            yield
        finally:
            _active = False


_for_good = contextlib.ExitStack()


def watch_commands() -> None:
    """Put ``COMMANDS`` in its place, for good; to be called once a process."""
    _for_good.enter_context(replaced([COMMANDS]))


def join_command(cfg) -> None:
    """The same for the commands of fairseq that get by without ``call_main``, or have called it before plug-ins load.

    They are fairseq-generate and fairseq-hydra-train.

    Args:
        cfg: the configuration, or the part of it that a task or a model is handed.
    """
    if _active or not {"fairseq_cli.hydra_train", "fairseq_cli.generate"} & set(sys.modules):
        return
    root = cfg._get_parent() if hasattr(cfg, "_get_parent") and "common_eval" not in cfg else cfg
    # Those that are made of a checkpoint's configuration, or by hand, are no command's.
    if hasattr(root, "_get_parent") and "common_eval" in root and _is_running(root):
        commands.prepare(root)
        sys.excepthook = report_without_traceback(sys.excepthook)
        _for_good.enter_context(commands.running(applied, root))


def _is_running(root) -> bool:
    return "fairseq_cli.hydra_train" in sys.modules or bool(root.common_eval.path)
