"""``README.md`` of an exported folder: what the model is, what it was made from, how it scores, how it is used."""

from typing import Dict, List, Optional

from ..languages import language
from ..version import __version__
from .run_files import RunFiles

_NAMES = {"bleu": "BLEU", "chrf": "chrF", "chrfpp": "chrF++"}
_LIBRARIES = {"hf": "transformers", "ct2": "ctranslate2", "onnx": "onnx"}


def model_card(form: str, tags: Dict[str, int], targets: List[str], run: RunFiles, license: Optional[str]) -> str:
    """The card's text.

    Args:
        form: of the folder.
        tags: language -> id of its tag.
        targets: languages that the model was trained to write.
        run: what is known of its training.
        license: what to name, where it is not the encoder's own.
    """
    sources = sorted({pair.split("-")[0] for pair in run.pairs})
    license = license or run.license
    parts = [
        _header(form, sorted({*sources, *targets}), license),
        _introduction(sources, targets),
        _usage(form, tags, sources, targets),
        _data(run),
        _scores(run),
        _making(run.command, license),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(form: str, codes: List[str], license: Optional[str]) -> str:
    lines = ["---", "language:", *(f"- {code.split('_')[0]}" for code in codes)]
    if license:
        lines.append(f"license: {license}")
    lines += ["pipeline_tag: translation", f"library_name: {_LIBRARIES[form]}", "tags:", "- xlm-swcm", "---"]
    return "\n".join(lines)


def _introduction(sources: List[str], targets: List[str]) -> str:
    into = _listed(targets)
    title = f"# {_listed(sources)} to {into}" if sources else f"# Text in {into}"
    return (
        f"{title}\n\nA text generator whose decoder started from a multilingual encoder's own weights (XLM-SWCM, "
        f"Su et al., ACL 2025), trained with swcm-fairseq {__version__}."
    )


def _usage(form: str, tags: Dict[str, int], sources: List[str], targets: List[str]) -> str:
    code = targets[0] if targets else next(iter(tags))
    if form == "hf":
        source = next((name for name in (*sources, *tags) if name in tags and name != code), code)
        imports = "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer"
        parts = [_generate(imports, "AutoModelForSeq2SeqLM", code), _pipeline(source, code, len(targets) == 1)]
    else:
        python = f'print(swcm_fairseq.from_pretrained("FOLDER").translate(["..."], target="{code}"))'
        parts = [
            f"```python\nimport swcm_fairseq\n\n{python}\n```",
            f"```bash\nswcm-translate --model FOLDER --to {code} < in.txt > out.txt\n```",
        ]
    if form == "onnx":
        imports = "from optimum.onnxruntime import ORTModelForSeq2SeqLM\nfrom transformers import AutoTokenizer"
        parts += ["With optimum:", _generate(imports, "ORTModelForSeq2SeqLM", code)]
        parts += ["With transformers.js, which has no beam search:", _javascript(tags[code])]
    ids = ", ".join(f"`[{name}]` {tags[name]}" for name in targets if name in tags)
    parts.append(f"The source is `<s> x </s>`; the decoder begins with `<s>` and the language's tag: {ids}.")
    return "\n\n".join(["## Use", *parts])


def _generate(imports: str, name: str, code: str) -> str:
    return (
        f"```python\n{imports}\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
        f'model = {name}.from_pretrained("FOLDER")\n'
        'inputs = tokenizer(["..."], return_tensors="pt", padding=True)\n'
        f'tag = tokenizer.convert_tokens_to_ids("[{code}]")\n'
        "outputs = model.generate(**inputs, forced_bos_token_id=tag)\n"
        "print(tokenizer.batch_decode(outputs, skip_special_tokens=True))\n"
        "```"
    )


def _pipeline(source: str, code: str, alone: bool) -> str:
    task = "translation" if alone else f"translation_{source}_to_{code}"
    advice = (
        ""
        if alone
        else " The language is in the task's name, not in `tgt_lang`, which this tokenizer has no use for; a folder "
        f"of `swcm-export --targets {code}` writes {code} however it is called."
    )
    return (
        f"In transformers 4 (version 5 has no such pipeline) also as below.{advice}\n\n"
        f'```python\nfrom transformers import pipeline\n\ntranslator = pipeline("{task}", model="FOLDER")\n'
        'print(translator("...", num_beams=5))  # else it takes its own 4, not this folder\'s 5\n```'
    )


def _javascript(tag: int) -> str:
    return (
        "```js\n"
        'import { env, pipeline } from "@huggingface/transformers";\n\n'
        'env.localModelPath = "./"; // where FOLDER lies\n'
        'const translator = await pipeline("translation", "FOLDER");\n'
        f'console.log(await translator("...", {{ forced_bos_token_id: {tag} }}));\n'
        "```"
    )


def _data(run: RunFiles) -> str:
    if not run.pairs:
        return ""
    rows = ["| pair | training | validation | test |", "|---|---|---|---|"]
    for pair, counts in sorted(run.pairs.items()):
        numbers = [f"{counts[part]:,}" if part in counts else "" for part in ("train", "valid", "test")]
        rows.append("| {} | {} |".format(pair, " | ".join(numbers)))
    return "## Data\n\nSentence pairs:\n\n" + "\n".join(rows)


def _scores(run: RunFiles) -> str:
    metrics = [name for name in _NAMES if any(name in values for values in run.scores.values())]
    if not metrics:
        return ""
    rows = ["| language | {} |".format(" | ".join(_NAMES[name] for name in metrics)), "|---" * (len(metrics) + 1) + "|"]
    for code, values in sorted(run.scores.items()):
        numbers = [f"{values[name]:.1f}" if name in values else "" for name in metrics]
        rows.append("| {} | {} |".format(code, " | ".join(numbers)))
    signatures = [f"- {_NAMES[name]}: `{run.signatures[name]}`" for name in metrics if name in run.signatures]
    return "## Scores on the test sets\n\n{}\n\n{}".format("\n".join(rows), "\n".join(signatures))


def _making(command: Optional[str], license: Optional[str]) -> str:
    parts = []
    if command:
        parts.append(f"```bash\n{command}\n```")
    parts.append(
        f"The encoder's licence is {license}."
        if license
        else "The encoder's licence is not in the run's files; see where the encoder came from."
    )
    return "## Training\n\n" + "\n\n".join(parts)


def _listed(codes: List[str]) -> str:
    if not codes:
        return "nothing"
    *names, last = (language(code).name for code in codes)
    return f"{', '.join(names)} and {last}" if names else last
