"""Examples and the batches made of them: one shape for every objective and task."""

from typing import Any, Dict, List, NamedTuple, Optional

import torch
from fairseq.data import data_utils
from torch import Tensor


class Example(NamedTuple):
    """One example.

    Attributes:
        index: place in its dataset, which outputs are sorted by.
        source: pieces ``<s> x </s>``, as XLM-R was trained.
        target: pieces ``y </s>``, or None when there is nothing to learn from.
        tag: dictionary id of the target language's tag, the decoder's first input.
        group: objective and languages, an index into the task's ``loss_groups``.
        constraints: packed lexical constraints of fairseq, or None.
    """

    index: int  # type: ignore[assignment]  # tuples have a method of that name
    source: Tensor
    target: Optional[Tensor]
    tag: int
    group: int = 0
    constraints: Optional[Tensor] = None


def collate(examples: List[Example], pad: int, eos: int, pad_to_multiple: int = 1) -> Dict:
    """Make a batch [B, S] / [B, T], padded on the right, in fairseq's form.

    ``prev_output_tokens`` is the target moved right by one, the tag first: ``[xx] y``; the target stays ``y </s>``.
    """
    if not examples:
        return {}
    sources = [example.source for example in examples]
    src_tokens = data_utils.collate_tokens(sources, pad, eos, pad_to_multiple=pad_to_multiple)
    batch: Dict[str, Any] = {
        "id": torch.tensor([example.index for example in examples]),
        "host_ids": [example.index for example in examples],  # stays with the host, wherever tensors go
        "nsentences": len(examples),
        "ntokens": sum(len(source) for source in sources),
        "net_input": {
            "src_tokens": src_tokens,
            "src_lengths": torch.tensor([len(source) for source in sources]),
        },
        "target": None,
        "tag": torch.tensor([example.tag for example in examples]),
        "group": torch.tensor([example.group for example in examples]),
    }
    if examples[0].target is not None:
        targets = [example.target for example in examples if example.target is not None]
        target = data_utils.collate_tokens(targets, pad, eos, pad_to_multiple=pad_to_multiple)
        previous = torch.full_like(target, pad)
        previous[:, 0] = batch["tag"]
        previous[:, 1:] = target[:, :-1]
        # The last real token, </s>, is never an input; where the target is shorter than the batch it has moved in.
        previous[previous.eq(eos) & target.eq(pad)] = pad
        batch["net_input"]["prev_output_tokens"] = previous
        batch["target"] = target
        batch["ntokens"] = sum(len(one) for one in targets)
    if examples[0].constraints is not None:
        given = [example.constraints for example in examples if example.constraints is not None]
        constraints = torch.zeros(len(examples), max(one.size(0) for one in given), dtype=torch.long)
        for row, one in zip(constraints, given):
            row[: one.size(0)] = one
        batch["constraints"] = constraints
    return batch
