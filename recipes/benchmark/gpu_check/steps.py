"""The steps of gpu_check.sh; each writes what it found as JSON."""

import argparse
import glob
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace
from typing import Dict, List

import fairseq
import torch
from fairseq.data import Dictionary, indexed_dataset

from swcm_fairseq import hardware, plugin, training_memory  # noqa: F401
from swcm_fairseq.criterions import SwcmCrossEntropy
from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.models.checkpoint_activations import checkpoint_activations
from swcm_fairseq.models.config import XlmSwcmConfig
from swcm_fairseq.models.xlm_swcm import XlmSwcmModel
from swcm_fairseq.training_memory import ModelSizes, sizes_of_preset

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
UPDATES, SAVED = 8, 4
#: Largest differences that are rounding and not a fault.
ATOL = 2e-3


def sizes(gpus: int) -> Dict[str, int]:
    """Those of a base model on a GPU, of a toy on a CPU."""
    layers, width, vocabulary = (12, 768, 30000) if gpus else (2, 64, 300)
    return {"layers": layers, "width": width, "heads": width // 64 or 1, "vocabulary": vocabulary}


def dictionary_of(size: int) -> Dictionary:
    dictionary = Dictionary()
    for number in range(size):
        dictionary.add_symbol(f"p{number}")
    for symbol in ("<mask>", "[zh]", "[kk]"):
        dictionary.add_symbol(symbol)
    return dictionary


def model_and_batch(gpus: int):
    """A model, a batch and the criterion, all on the CPU in float32, the same each time."""
    torch.manual_seed(1)
    size = sizes(gpus)
    dictionary = dictionary_of(size["vocabulary"])
    cfg = XlmSwcmConfig(
        encoder_layers=size["layers"],
        encoder_embed_dim=size["width"],
        encoder_ffn_embed_dim=4 * size["width"],
        encoder_attention_heads=size["heads"],
        max_positions=128,
        dropout=0.0,
        attention_dropout=0.0,
    )
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary, loss_groups=[])
    model = XlmSwcmModel.build_model(cfg, task)
    lengths = [5, 30, 17, 24]
    tokens = torch.full((len(lengths), max(lengths)), dictionary.pad())
    for row, length in zip(tokens, lengths):
        row[:length] = torch.randint(4, size["vocabulary"], (length,))
    net_input = {"src_tokens": tokens, "src_lengths": torch.tensor(lengths), "prev_output_tokens": tokens}
    sample = {"net_input": net_input, "target": tokens, "ntokens": sum(lengths)}
    return model, sample, SwcmCrossEntropy(task, sentence_avg=False, label_smoothing=0.1)


def on(device: str, sample):
    return {
        name: on(device, value) if isinstance(value, dict) else value.to(device) if torch.is_tensor(value) else value
        for name, value in sample.items()
    }


def loss_and_gradients(model, sample, criterion, device: str, dtype=torch.float32):
    model = model.to(device, dtype).train()
    model.zero_grad()
    loss = criterion(model, on(device, sample))[0]
    loss.backward()
    gradients = {name: parameter.grad.float().cpu() for name, parameter in model.named_parameters()}
    return float(loss) / sample["ntokens"], gradients


# ---------------------------------------------------------------------- the steps


def environment(out: str, gpus: int) -> Dict:
    """Versions and devices."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "fairseq": fairseq.__version__}
    found.update(cuda=torch.version.cuda or "none", system=f"{platform.system()} {platform.machine()}")
    for number in range(gpus):
        about = torch.cuda.get_device_properties(number)
        found[f"gpu {number}"] = (
            f"{about.name}, {about.total_memory / 2**30:.0f} GiB, compute capability {about.major}.{about.minor}"
        )
    found["driver"] = hardware.nvidia_driver() or "none"
    found["precision"] = "{} ({})".format(*hardware.best_precision())
    return found


def parity(out: str, gpus: int) -> Dict:
    """The same loss and gradients as on the CPU, in float32 without TF32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    loss, gradients = loss_and_gradients(*model_and_batch(gpus), "cpu")
    again, theirs = loss_and_gradients(*model_and_batch(gpus), "cuda" if gpus else "cpu")
    far = max(float((gradients[name] - theirs[name]).abs().max()) for name in gradients)
    if abs(loss - again) > ATOL or far > ATOL:
        raise SwcmError(f"loss {loss} on the CPU, {again} here; gradients {far} apart")
    return {"loss_apart": f"{abs(loss - again):.1e}", "gradients_apart": f"{far:.1e}"}


def precisions(out: str, gpus: int) -> Dict:
    """Losses in bf16 and fp16 beside float32's; all finite."""
    device = "cuda" if gpus else "cpu"
    found = {"float32": round(loss_and_gradients(*model_and_batch(gpus), device)[0], 4)}
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        loss, gradients = loss_and_gradients(*model_and_batch(gpus), device, dtype)
        if not all(torch.isfinite(gradient).all() for gradient in gradients.values()):
            raise SwcmError(f"gradients in {name} are not finite")
        if abs(loss / found["float32"] - 1) > 0.02:
            raise SwcmError("loss {} in {}, {} in float32".format(loss, name, found["float32"]))
        found[name] = round(loss, 4)
    return found


def training(out: str, gpus: int) -> Dict:
    """Trains, stops, goes on from the checkpoint: the same losses."""
    data = write_data(out, gpus)
    whole = train(out, "whole", data, gpus, 1)
    again = os.path.join(out, "again")
    shutil.rmtree(again, ignore_errors=True)
    os.makedirs(again)
    shutil.copy(glob.glob(os.path.join(out, "whole", f"checkpoint_*_{SAVED}.pt"))[0], again + "/checkpoint_last.pt")
    resumed = train(out, "again", data, gpus, 1, fresh=False)
    compare("resumed", resumed, {update: whole[update] for update in resumed}, 1e-3)
    return {
        "first_loss": whole[1],
        "last_loss": whole[UPDATES],
        "resumed_from": SAVED,
        "precision": precision_flag() or "fp32",
    }


def decoding(out: str, gpus: int) -> Dict:
    """Decodes with the training's checkpoint, greedily and with a beam."""
    found = {}
    for beam in (1, 5):
        command = ["fairseq-generate", os.path.join(out, "data"), "--user-dir", ROOT + "/swcm_fairseq"]
        command += ["--path", os.path.join(out, "whole", "checkpoint_last.pt"), "--beam", str(beam)]
        command += "--task swcm_finetuning --source-lang zh --target-lang kk --gen-subset valid".split()
        command += ["--max-len-b", "20", "--max-tokens", "2000"] + ([] if gpus else ["--cpu"])
        said = call(command)
        count = len(re.findall(r"^H-", said, re.MULTILINE))
        if not count:
            raise SwcmError(f"nothing was decoded with beam {beam}")
        found[f"sentences_beam_{beam}"] = count
    return found


def processes(out: str, gpus: int) -> Dict:
    """Two processes learn what one learns with twice the batches an update."""
    if gpus == 1:
        return {"left_out": "there is one GPU"}
    data = write_data(out, gpus)
    two = train(out, "two", data, gpus, 2)
    one = train(out, "one", data, gpus, 1, "--update-freq", "2")
    compare("two processes", two, one, 1e-2 if precision_flag() else 2e-3)
    return {"last_loss_two": two[UPDATES], "last_loss_one": one[UPDATES]}


def memory(out: str, gpus: int) -> Dict:
    """What a step keeps, beside the estimate of swcm_fairseq.training_memory, and what xlm_swcm_large needs by that."""
    model, sample, criterion = model_and_batch(gpus)
    size = sizes(gpus)
    estimate = ModelSizes(size["layers"], size["width"], 4 * size["width"], len(model.decoder.dictionary), 3, 130)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    large = sizes_of_preset("xlm_swcm_large")
    found = {
        "parameters": parameters,
        "parameters_estimated": estimate.parameters,
        "large_lasting_GB": round(large.lasting() / 1e9, 1),
        "large_pieces_in_24_GiB": large.pieces_in(24 * 2**30),
        "large_pieces_in_24_GiB_saving_memory": large.pieces_in(24 * 2**30, True, True),
    }
    if gpus:
        model = model.to("cuda", torch.bfloat16)
        found["gpu_pieces_estimated"] = estimate.pieces_in(torch.cuda.get_device_properties(0).total_memory)
    repeated = on("cuda" if gpus else "cpu", longer(sample, 64 if gpus else 2))
    for checkpointed in (False, True):
        if checkpointed:
            checkpoint_activations(model)
        kept = bytes_kept(model.train(), repeated)
        # No layer is at its gradients yet; on a CPU numbers are float32.
        layer = 2 * training_memory.ENCODER_LAYER * size["width"] if checkpointed else 0
        expected = (estimate.bytes_a_piece(checkpointed) - layer) * repeated["net_input"]["src_tokens"].numel()
        expected *= 1 if gpus else 2
        name = "checkpointed" if checkpointed else "kept"
        found[f"{name}_MB"], found[f"{name}_MB_estimated"] = round(kept / 1e6, 3), round(expected / 1e6, 3)
        # Checkpointed layers keep their inputs out of autograd's sight, which is how a CPU is asked.
        if abs(kept / expected - 1) > 0.25 and (gpus or not checkpointed):
            raise SwcmError(f"a step kept {kept / 1e6:.1f} MB of activations; {expected / 1e6:.1f} were estimated")
    return found


def longer(sample, times: int):
    """The sample with every row so many times, and without padding."""
    net_input = dict(sample["net_input"])
    tokens = net_input["src_tokens"].repeat(times, 1).clamp(min=4)
    net_input.update(src_tokens=tokens, prev_output_tokens=tokens, src_lengths=net_input["src_lengths"].repeat(times))
    return {**sample, "net_input": net_input, "target": tokens, "ntokens": tokens.numel()}


def bytes_kept(model, sample) -> int:
    """Bytes that the step's layers keep for gradients."""
    if next(model.parameters()).is_cuda:
        before = torch.cuda.memory_allocated()
        output = model(**sample["net_input"], features_only=True)
        kept_on_gpu = torch.cuda.memory_allocated() - before
        del output  # what it keeps had to be there until now
        return kept_on_gpu
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor  # alive, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**sample["net_input"], features_only=True)
    return sum(tensor.numel() * tensor.element_size() for tensor in kept.values())


def speed(out: str, gpus: int) -> Dict:
    """recipes/benchmark/speed.sh: training and decoding beside Hugging Face and fairseq."""
    path = os.path.join(out, "speed_table.json")
    if os.path.exists(path):
        os.remove(path)
    small = ["--layers", "2", "--width", "64", "--heads", "2", "--rounds", "1", "--batches", "1", "--sizes", "4"]
    flags = ["--what", "train,generate", "--json", path]
    if gpus:
        flags += ["--vocabulary", "12500", "--dtype", precision_flag().lstrip("-") or "float32", "--rounds", "3"]
    else:
        flags += [*small, "--vocabulary", "300", "--dtype", "float32", "--beams", "1", "--max-tokens", "200"]
    said = call(["bash", os.path.join(ROOT, "recipes", "benchmark", "speed.sh"), *flags])
    return {"table": said.splitlines(), "json": path}


# ---------------------------------------------------------------------- what they use


def write_data(out: str, gpus: int) -> str:
    """A data folder of random sentences to copy."""
    folder = os.path.join(out, "data")
    if os.path.exists(os.path.join(folder, "valid.zh-kk.kk.idx")):
        return folder
    os.makedirs(folder, exist_ok=True)
    dictionary = dictionary_of(sizes(gpus)["vocabulary"])
    drawn = random.Random(1)
    for split, count in (("train", 400), ("valid", 20)):
        lines = [[drawn.randrange(4, 204) for _ in range(drawn.randint(4, 12))] for _ in range(count)]
        for side in ("zh", "kk"):
            prefix = os.path.join(folder, f"{split}.zh-kk.{side}")
            builder = indexed_dataset.make_builder(prefix + ".bin", impl="mmap", vocab_size=len(dictionary))
            for line in lines:
                builder.add_item(torch.tensor(line + [dictionary.eos()]).int())
            builder.finalize(prefix + ".idx")
            dictionary.save(os.path.join(folder, f"dict.{side}.txt"))
    return folder


def precision_flag() -> str:
    name = hardware.best_precision().name
    return "" if name == "fp32" else "--" + name


def train(
    out: str, name: str, data: str, gpus: int, processes: int, *flags: str, fresh: bool = True
) -> Dict[int, float]:
    """Loss of each update of a training by swcm_train of recipes/lib/training.sh."""
    folder, size = os.path.join(out, name), sizes(gpus)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    script = '. "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"; shift; find_gpus; swcm_train "$@"'
    arguments = [data, "--user-dir", ROOT + "/swcm_fairseq", "--save-dir", folder]  # paths may hold spaces
    arguments += (
        "--task swcm_finetuning --lang-pairs zh-kk --arch xlm_swcm --criterion swcm_cross_entropy --optimizer adamw "
        "--lr 1e-3 --clip-norm 1.0 --max-tokens 300 --dropout 0 --attention-dropout 0 --no-epoch-checkpoints "
        f"--max-update {UPDATES} --save-interval-updates {SAVED} --log-format json --log-interval 1 --seed 1 "
        f"--encoder-layers {size['layers']} --encoder-embed-dim {size['width']} --max-positions 128 "
        f"--encoder-ffn-embed-dim {4 * size['width']} --encoder-attention-heads {size['heads']}"
    ).split()
    env = dict(os.environ, SWCM_CPU_PROCESSES=str(processes))
    if gpus:
        # As many as the comparison wants; the list that was given counts.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))
        env["CUDA_VISIBLE_DEVICES"] = ",".join(visible.split(",")[:processes])
        env.pop("SWCM_GPUS_ASKED", None)
    half = [precision_flag()] if precision_flag() else []
    said = call(["bash", "-euo", "pipefail", "-c", script, "bash", ROOT, *arguments, *half, *flags], env=env)
    found = {}
    for line in re.findall(r"train_inner \| (\{.*\})", said):
        values = json.loads(line)
        found[int(values["num_updates"])] = float(values["loss"])
    if UPDATES not in found:
        raise SwcmError(f"{name} did not come to its end")
    return found


def compare(name: str, found: Dict[int, float], expected: Dict[int, float], far: float) -> None:
    apart = {update: abs(found[update] / expected[update] - 1) for update in found}
    if set(found) != set(expected) or max(apart.values()) > far:
        raise SwcmError(f"{name}: losses {found}, not {expected}")


def call(command: List[str], env=None) -> str:
    """What the command said; raises ``SwcmError`` with its last line where it failed."""
    environment = dict(env or os.environ)
    environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + environment["PATH"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode("utf-8", "replace")
    print(said, flush=True)
    if done.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise SwcmError("{} failed: {}".format(os.path.basename(command[0]), lines[-1] if lines else ""))
    return said


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = [environment, parity, precisions, training, decoding, processes, memory, speed]
    parser.add_argument("step", choices=[step.__name__ for step in steps])
    parser.add_argument("--out", required=True)
    parser.add_argument("--gpus", type=int, default=0)
    args = parser.parse_args(arguments)
    found = {step.__name__: step for step in steps}[args.step](os.path.abspath(args.out), args.gpus)
    with open(os.path.join(args.out, args.step + ".json"), "w", encoding="utf-8") as stream:
        json.dump(found, stream, indent=2)


if __name__ == "__main__":
    sys.exit(run_command(main))
