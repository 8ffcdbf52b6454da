"""Hugging Face's EncoderDecoderModel, XLM-R to XLM-R, with a plain training loop and its own ``generate``."""

import torch

from swcm_fairseq.data.batch import Example, collate
from swcm_fairseq.errors import SwcmError

from .forced_lengths import ForcedLengths
from .workload import BOS, EOS, PAD

IGNORED = -100  # a label that its loss leaves out


class HuggingFace:
    """What a user would write, at its best settings.

    Fused AdamW, the attention asked for (sdpa), the key-value cache. bf16 trains by torch's autocast over float32
    weights, as transformers' Trainer does with ``bf16=True``; with ``hf_bf16="weights"`` in bf16 weights without
    float32 masters, which is quicker but loses small updates. It decodes with bf16 weights. The loss is the model's
    own, which has no label smoothing.
    """

    def __init__(self, case, purpose: str):
        try:
            from transformers import EncoderDecoderModel, XLMRobertaConfig, XLMRobertaForCausalLM, XLMRobertaModel
        except ImportError as error:
            raise SwcmError(f"transformers is not installed ({error}); leave hf out of --systems")
        self.case = case
        self.device = case["device"]
        bf16 = case["dtype"] == "bf16"
        torch.manual_seed(case["seed"])
        sizes = {
            "vocab_size": case["vocabulary"],
            "hidden_size": case["width"],
            "intermediate_size": case["inner"],
            "num_attention_heads": case["heads"],
            "max_position_embeddings": case["max_positions"] + PAD + 1,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "attn_implementation": case["hf_attention"],
            "bos_token_id": BOS,
            "pad_token_id": PAD,
            "eos_token_id": EOS,
        }
        encoder = XLMRobertaModel(XLMRobertaConfig(num_hidden_layers=case["layers"], **sizes), add_pooling_layer=False)
        decoder = XLMRobertaForCausalLM(
            XLMRobertaConfig(
                num_hidden_layers=case["decoder_layers"], is_decoder=True, add_cross_attention=True, **sizes
            )
        )
        self.model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
        for config in (self.model.config, self.model.generation_config):
            config.decoder_start_token_id, config.bos_token_id = BOS, BOS
            config.pad_token_id, config.eos_token_id = PAD, EOS
        if case["hf_shared_embeddings"]:
            self.model.decoder.set_input_embeddings(self.model.encoder.get_input_embeddings())
            self.model.decoder.lm_head.decoder.weight = self.model.encoder.get_input_embeddings().weight
        plain_bf16 = bf16 and (purpose == "generate" or case["hf_bf16"] == "weights")
        self.model.to(self.device, torch.bfloat16 if plain_bf16 else torch.float32)
        self.autocast = bf16 and not plain_bf16
        if purpose == "train":
            self.model.train()
            self._optimizer = _adamw(self.model.parameters())
        else:
            self.model.eval()

    def batch(self, pairs):
        """The sentences in the form that the model takes, padded."""
        examples = [
            Example(number, torch.tensor(source), torch.tensor(target), BOS)
            for number, (source, target) in enumerate(pairs)
        ]
        made = collate(examples, PAD, EOS)
        source, target = made["net_input"]["src_tokens"], made["target"]
        return {
            "input_ids": source,
            # Without a mask the attention kernels may choose freely.
            "attention_mask": source.ne(PAD).long() if bool(source.eq(PAD).any()) else None,
            "decoder_input_ids": made["net_input"]["prev_output_tokens"],
            "labels": target.masked_fill(target.eq(PAD), IGNORED),
        }

    def sentences(self, batch):
        """The pieces that count in ``batch``, as lists: what the model is really given to learn from."""
        mask = batch["attention_mask"]
        sources = batch["input_ids"] if mask is None else batch["input_ids"].masked_fill(mask.eq(0), IGNORED)
        sides = zip(sources.tolist(), batch["labels"].tolist())
        return [tuple([piece for piece in side if piece != IGNORED] for side in pair) for pair in sides]

    def train(self, batch) -> None:
        """One step: forward, backward, optimizer."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.autocast):
            loss = self.model(**self._moved(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def generate(self, batch, beam: int):
        """Decode, every sentence to its reference's length; returns the lengths of all hypotheses, </s> included."""
        batch = self._moved(batch)
        lengths = batch["labels"].ne(IGNORED).sum(1)
        with torch.inference_mode():
            found = self.model.generate(
                batch["input_ids"], attention_mask=batch["attention_mask"], num_beams=beam, num_return_sequences=beam,
                do_sample=False, use_cache=True, early_stopping=beam > 1, max_new_tokens=int(lengths.max()),
                logits_processor=[ForcedLengths(lengths, beam)],
            )  # fmt: skip
        written = found[:, 1:].ne(PAD).sum(1).view(-1, beam)
        return written.tolist()

    def _moved(self, batch):
        return {name: None if tensor is None else tensor.to(self.device) for name, tensor in batch.items()}

    def parameters(self):
        return list(self.model.parameters())

    def optimizer(self):
        return self._optimizer


def _adamw(parameters):
    settings = {"lr": 5e-4, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.01}
    parameters = list(parameters)
    try:
        return torch.optim.AdamW(parameters, fused=True, **settings)
    except (TypeError, RuntimeError):  # a torch without a fused step for this device
        return torch.optim.AdamW(parameters, **settings)
