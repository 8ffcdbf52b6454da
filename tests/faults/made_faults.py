"""Faults made by hand, for ``tests/faults/mutations.py``: what somebody could plausibly write instead.

Each is a place (file of ``swcm_fairseq``), the text that stands there exactly once, what is put in its place, and what
that would do to a user. None is without effect.
"""

from typing import List, NamedTuple


class Fault(NamedTuple):
    """One fault: in ``swcm_fairseq/PLACE``, ``old`` is replaced by ``new``; ``why`` says what would go wrong."""

    place: str
    old: str
    new: str
    why: str


def _faults(place: str, *faults) -> List[Fault]:
    return [Fault(place, *fault) for fault in faults]


MODELS = [
    *_faults(
        "models/config.py",
        ('"layer_norm_eps": 1e-5', '"layer_norm_eps": 1e-12', "another epsilon than XLM-R's"),
        ("if getattr(cfg, name, None) is None:", "if True:", "presets win over flags"),
        ("if cfg.insert_normal_every < 0:", "if cfg.insert_normal_every <= 0:", "BASE-A is refused"),
        ("attention_dropout=cfg.attention_dropout", "attention_dropout=cfg.dropout", "a flag is not heeded"),
    ),
    *_faults(
        "models/decoder.py",
        ("step=prev_output_tokens.size(1) + 1)", "step=prev_output_tokens.size(1))", "decoding counts from elsewhere"),
        (".triu(1)[None, None]", ".triu(2)[None, None]", "every position sees the piece that it has to write"),
        ("bool(padding[:, 1].any())", "bool(padding[:, 0].any())", "padding on the left is attended to"),
        ("incremental_state, moves[1])", "incremental_state, memory_rows)", "rows lose their sentence after a reorder"),
        ("index + 1 == len(self.layers)", "index == 0", "alignments of the first layer"),
        ("layer.cross_attn.reorder_cache(incremental_state, moves[0])", "pass", "rows keep another sentence's source"),
        ("self._reorder_past(incremental_state, repeated)", "pass", "hypotheses lack the past of the first step"),
        ("return self.embeddings.max_positions - 1", "return self.embeddings.max_positions", "no place for <s>"),
        ("self.embeddings(tokens)\n", "self.embeddings(tokens.roll(1, 1))\n", "the tag comes before <s>"),
        ('encoder_out["memories"][place]', 'encoder_out["memories"][-1]', "all layers read one memory"),
        ("weights[:, -wanted:]", "weights[:, :wanted]", "alignments are one row off"),
    ),
    *_faults(
        "models/encoder.py",
        (") if has_padding else None", ") if False else None", "padding is attended to"),
        (
            'name in ("encoder_out", "encoder_states", "memories")',
            'name == "encoder_out"',
            "states reordered along time",
        ),
        ("if 0 in self.kept", "if 1 in self.kept", "the embeddings are no memory"),
    ),
    *_faults(
        "models/prepare_training.py",
        ("    cfg.pretrained_encoder = None\n", "", "a checkpoint asks for its encoder"),
    ),
    *_faults(
        "models/xlm_swcm.py",
        (
            "Embeddings(table, embeddings.positions, ",
            "Embeddings(table, position_table(cfg.max_positions, sizes.width, source.pad()), ",
            "positions of encoder and decoder part",
        ),
        ("        cfg.inserted_layers,\n", '        "normal",\n', "BASE-B is the default"),
        ("pretrained, cfg.decoder_init)", 'pretrained, "shared")', "weight sharing cannot be removed"),
        (
            "            src_lengths=src_lengths,\n        )",
            "            src_lengths=src_lengths,\n        )[:1] + ({},)",
            "no attention comes out",
        ),
    ),
]

MODULES = [
    *_faults(
        "modules/attention.py",
        ("(width // heads) ** -0.5", "width**-0.5", "scores are too small"),
        ("-65504.0 if scores.dtype == torch.float16 else -3e38", 'float("-inf")', "a source of padding alone is NaN"),
        ("self.attention_dropout_module(weights)", "weights", "--attention-dropout does nothing"),
        ("weights.mean(dim=1)", "weights[:, 0]", "alignments of one head"),
        ("        if keys_values is None:\n", "        if True:\n", "the source is projected at every step"),
        ("cached.index_select(1, new_order)", "cached", "beams keep others' past"),
        ("self.in_proj.weight.split(parts)", "self.in_proj.weight.flip(0).split(parts)", "query for key"),
        ("permute(2, 0, 3, 1, 4)", "permute(2, 0, 3, 1, 4).flip(2)", "heads in another order than in the encoder"),
    ),
    *_faults(
        "modules/feed_forward.py",
        ('"gelu": F.gelu,', '"gelu": lambda x: F.gelu(x, approximate="tanh"),', "another gelu than the encoder's"),
        ("self.activation_dropout_module(inner)", "inner", "--activation-dropout does nothing"),
    ),
    *_faults(
        "modules/sublayer.py",
        ("        output = self.dropout_module(output)\n", "", "--dropout is left out"),
        (
            "            output = x + output\n",
            "            return x + self.layer_norm(output)\n",
            "the norm stands elsewhere",
        ),
        ("self.layer_norm(x) if self.pre_norm else x", "x", "identity layers have no norm"),
    ),
    *_faults(
        "modules/dropout.py",
        (" - _STEPS // 2", "", "half of what is to stay is dropped too"),
        ("[: x.numel()] >= round(", "[: x.numel()] > round(", "one draw in 65,536 too many is dropped"),
        (".div_(1 - self.p)", "", "training and decoding differ in scale"),
        ("(self.training or self.apply_during_inference)", "self.training", "--retain-dropout does nothing"),
    ),
    *_faults(
        "modules/embeddings.py",
        ("torch.cumsum(real, dim=1) * real + padding", "torch.cumsum(real, dim=1) + padding", "padding has a position"),
        ("self.tokens.padding_idx - 1\n", "self.tokens.padding_idx\n", "one position too many is promised"),
        ("self.dropout_module(self.layer_norm(x))", "self.layer_norm(self.dropout_module(x))", "dropout before norm"),
        ("    nn.init.zeros_(table.weight[padding_idx])\n", "", "padding has a row of noise"),
    ),
    *_faults(
        "modules/layer_plan.py",
        ("count % insert_every", "(count - 1) % insert_every", "insertions one layer early"),
        ('"same-layer": layer + 1', '"same-layer": layer', "layers read what their encoder layer read"),
        ("        return before\n", '        return PlannedLayer("normal", 0)\n', "duplicates are of another kind"),
        ('drawn=("cross_attn",)', "drawn=()", "warm layers copy their cross-attention too"),
        ("    shift += step - 1\n", "    shift = step - 1\n", "--cross-attention-shift does nothing"),
    ),
    *_faults(
        "modules/layers.py",
        ("return self.ffn2(x)", "return self.ffn1(x)", "one feed-forward twice"),
        ("nn.init.zeros_(last.weight)", "pass", "identity layers do not start as the identity"),
        (
            "AttentionSublayer(sizes, residual=residual)",
            "AttentionSublayer(sizes)",
            "--drop-encoder-residual does nothing",
        ),
        (
            "x, weights = self.cross_attn(x, memory, memory_mask, incremental_state, need_weights, real)",
            "x, weights = self.cross_attn(x, memory, None, incremental_state, need_weights, real)",
            "decoder layers look at padding",
        ),
    ),
    *_faults(
        "modules/padding.py",
        ("index_copy(0, real.places, x[0])", "index_copy(0, real.places, x[0].flip(0))", "targets are mixed up"),
        ("index_select(0, real.places)", "index_select(0, real.places.roll(1))", "every position has another's past"),
        ("32 * (real", "0 * (real", "padding is computed after all"),
    ),
    *_faults(
        "modules/beam_rows.py",
        ("if torch.equal(wanted, memory_rows):", "if len(wanted) == len(memory_rows):", "rows stay when others move"),
        ("if bool(counts.ne(counts[:1]).any()):", "if False:", "rows read a neighbour's sentence"),
    ),
    *_faults("modules/linear.py", ("std=INIT_STD", "std=1.0", "random layers drown the copied ones")),
]

WEIGHTS = [
    *_faults(
        "models/embedding_rows.py",
        ("pieces = table[len(SPECIALS) :].float()", "pieces = table.float()", "tags are drawn from specials too"),
        ("noise * pieces.std(dim=0)", "noise * pieces.std()", "tags spread otherwise than pieces"),
    ),
    *_faults(
        "models/initialization.py",
        ("plan[int(index)]", "plan[min(int(index) + 1, len(plan) - 1)]", "layers start from the next one"),
        ("NOT_COPIED[decoder_init] + planned.drawn", "planned.drawn", "weight sharing cannot be removed"),
        ('"ffn2": "ffn"}', '"ffn2": "self_attn"}', "a part starts from another"),
        ("sorted(set(encoder.tensors) - set(sources.values()))", "[]", "tensors without a place are lost in silence"),
        ("    if new == 0:\n", "    if new >= 0:\n", "tags start from nothing"),
        (
            "origins[name] = _start_output(name, tensor, state)",
            'origins[name] = Origin("random", "drawn at build")',
            "an untied output starts beside the encoder's table",
        ),
    ),
    *_faults(
        "pretrained/encoder.py",
        (" + token_types[0]\n", "\n", "the row of token types is lost"),
        (' - settings["first_position"],', ",", "two positions too many"),
        ("parts[0] if len(parts) == 1 else torch.cat(parts)", "parts[0]", "keys and values are lost"),
    ),
    *_faults(
        "pretrained/layouts.py",
        ("attention.self.{query,key,value}.{w}", "attention.self.{query,value,key}.{w}", "keys for values"),
        ("{q_proj,k_proj,v_proj}", "{k_proj,q_proj,v_proj}", "queries for keys"),
        ("int(number.group(1)) + 1 for", "int(number.group(1)) for", "the last layer is left out"),
        ('{"weight": "gamma", "bias": "beta"}', '{"weight": "beta", "bias": "gamma"}', "old names are mixed up"),
    ),
    *_faults(
        "pretrained/settings.py",
        ("_FAIRSEQ_EPS = 1e-5", "_FAIRSEQ_EPS = 1e-12", "another epsilon than fairseq's"),
        ('"layer_norm_eps": 1e-12,', '"layer_norm_eps": 1e-5,', "another epsilon than Hugging Face's"),
        ('args.get("no_scale_embedding") is False', 'args.get("no_scale_embedding")', "scaled encoders are taken"),
        (" and not isinstance(value, bool)", "", "true is taken for a number"),
        (
            'endswith("sentence_encoder.layer_norm.weight")',
            'endswith("sentence_encoder.layernorm.weight")',
            "encoders with the norm before a layer are taken",
        ),
    ),
    *_faults(
        "torch_files.py",
        ("weights_only=True", "weights_only=False", "a stranger's program runs"),
        ("if full not in _OWN_LIST:", "if False:", "a stranger's program runs under old torch"),
        ('name.endswith("/constants.pkl")', "False", "a TorchScript program is no longer refused by name"),
    ),
    *_faults(
        "pretrained/tensor_files.py",
        ("copy=True", "copy=False", "weights change when their file is written anew"),
        ("if os.path.basename(name) != name", "if False", "an index reads files elsewhere"),
        (
            '"model.safetensors",\n    "model.safetensors.index.json",\n    "pytorch_model.bin",\n',
            '"pytorch_model.bin",\n    "model.safetensors",\n    "model.safetensors.index.json",\n',
            "the pickle is preferred",
        ),
    ),
    *_faults(
        "vocabulary/encoder_vocabulary.py",
        ("len(self.pieces or []) + 1", "len(self.pieces or [])", "no row for <mask>"),
        ("symbols and symbols[-1] == MASK", "False", "<mask> is counted among the pieces"),
    ),
    *_faults(
        "vocabulary/sentencepiece_model.py",
        ("value = _with_vocab_size(value, len(self.pieces))", "pass", "a cut model promises the old number of pieces"),
        ("return not kinds or kinds[-1] == UNIGRAM", "return True", "a BPE model is cut like a unigram model"),
    ),
]

DATA = [
    *_faults(
        "data/noise.py",
        ("np.floor(round(number, 9) + random.random())", "np.ceil(number)", "short sentences get too much noise"),
        ("    if moving < 2:\n", "    if moving < 3:\n", "two sentences never change places"),
        ("int(sums.searchsorted(budget)) + 1]", "int(sums.searchsorted(budget))]", "the last span is lost"),
        ("lengths[-1] -= lengths.sum() - budget", "lengths[0] -= lengths.sum() - budget", "a span of negative length"),
        ("int(lengths.sum()) + spans, spans", "int(lengths.sum()) + spans - 1, spans", "never a mask at the end"),
        (
            "            parts.append(pieces[start:end][protected[start:end]])",
            "            pass",
            "ends of sentences are masked",
        ),
        ("insertions.pop()]", "insertions.pop(0)]", "other pieces are lost than insertions"),
        ("SeedSequence([seed, epoch, index])", "SeedSequence([seed, index])", "every epoch has the same noise"),
        ("number * settings.mask_ratio", "len(pieces) * settings.mask_ratio", "the ratio counts pieces, not words"),
    ),
    *_faults(
        "vocabulary/whole_words.py",
        ("        starts[1:] |= protected[:-1]\n", "", "a unit runs over the end of its sentence"),
        (" & ~self._begins_with_end[pieces[1:]]", "", "a shad after a tsheg is a syllable"),
    ),
    *_faults(
        "data/sampling.py",
        ("(amounts / amounts.sum()) ** alpha", "(amounts / amounts.sum()) ** (1 - alpha)", "large languages win"),
        ("np.argsort(-(exact - counts)", "np.argsort((exact - counts)", "counts off by more than one"),
        ("[random.permutation(size)[:rest]]", "[np.arange(size)[:rest]]", "the first examples come more often"),
        ("sum(texts) / (1 - mt_share)", "sum(texts) * (1 + mt_share)", "text is left out of an epoch"),
        ("sampling_shares(pairs, alpha) / 2, 2)", "sampling_shares(pairs, alpha), 2)", "shares add up to too much"),
    ),
    *_faults(
        "data/lengths.py",
        ("    if target_sizes is not None:\n", "    if False:\n", "batches hold more padding"),
        ("pieces[: self._limit - 1]", "pieces[: self._limit]", "one piece more than the limit"),
    ),
    *_faults(
        "data/batch.py",
        ("        previous[previous.eq(eos) & target.eq(pad)] = pad\n", "", "</s> is an input of short targets"),
        ('previous[:, 0] = batch["tag"]', "previous[:, 0] = eos", "no tag: the language is anyone's guess"),
        ('batch["ntokens"] = sum(len(one) for one in targets)', "pass", "losses are divided by the source's length"),
    ),
    *_faults(
        "data/pairs.py",
        ("pieces[: self.max_source - 2], pieces[-1:]", "pieces[: self.max_source - 1]", "a cut source has no end"),
        ("np.asarray(source_sizes) + 1  # <s>", "np.asarray(source_sizes)", "sizes without <s>: longer than allowed"),
    ),
    *_faults(
        "data/mixture.py",
        ("RandomState([self.seed, epoch])", "RandomState([self.seed])", "every epoch draws the same examples"),
        ("key=index)", "key=place)", "a text that is drawn twice has the same noise"),
    ),
    *_faults(
        "data/denoising.py",
        ("self.limit = min(max_source - 1, max_target)", "self.limit = min(max_source, max_target)", "too long by <s>"),
        ("begin + limit - 1\n", "begin + limit\n", "a long sentence's part has no room for </s>"),
        ("nothing[1:] &= ends[:-1]", "nothing[1:] &= ends[1:]", "documents lose the ends of their sentences"),
    ),
    *_faults(
        "vocabulary/pieces.py",
        ("UNKNOWN if p not in self.known and _SYMBOL.match(p) else p", "p", "a </s> in a text ends it"),
        ('.replace(SPACE, " ").strip()', '.replace(SPACE, " ")', "every text begins with a space"),
    ),
    *_faults(
        "vocabulary/dictionary.py",
        ("if not missing and not extra and own != pieces:", "if False:", "pieces in another order are taken"),
        ("MASK] + tags_in(dictionary.symbols)", "MASK]", "tags are written into texts"),
    ),
    *_faults(
        "fairseq_patches/batch_by_size.py", ("if left_out > 0:", "if left_out > 1:", "the last sentence is left out")
    ),
]

CRITERIONS = [
    *_faults(
        "criterions/chunked_loss.py",
        (
            "spread = smoothing / (vocabulary - 1)",
            "spread = smoothing / vocabulary",
            "another smoothing than fairseq's",
        ),
        ("of_weight if first == 0 else None", "of_weight", "the gradient of the weight begins anew with every chunk"),
        (
            "of_hidden = _sum_of_rows(output, exact) * -spread",
            "of_hidden = _sum_of_rows(output, exact) * 0",
            "smoothing has no gradient",
        ),
        ("if asking_waits(grad_loss) or grad_loss != 1:", "if asking_waits(grad_loss):", "gradients are not scaled"),
        ("torch.full_like(score, -kept)", "torch.full_like(score, -1.0)", "the gradient of another loss"),
        (
            "torch.full_like(bias, -spread * tokens, dtype=exact)",
            "torch.zeros_like(bias, dtype=exact)",
            "smoothing does not reach the bias",
        ),
        (
            "        if d_bias is not None:\n            d_bias += ",
            "        if first == 0 and d_bias is not None:\n            d_bias += ",
            "the bias learns from the first chunk alone",
        ),
        ("loss = loss - spread * tokens * bias.sum(dtype=exact)", "pass", "the loss leaves the bias out"),
    ),
    *_faults(
        "criterions/swcm_cross_entropy.py",
        ('target.size(0) if self.sentence_avg else sample["ntokens"]', 'sample["ntokens"]', "--sentence-avg is lost"),
        ("loss / sample_size / math.log(2)", "loss / sample_size", "losses in another unit"),
        ("correct.to(nll), torch.ones_like(nll)]", "correct.to(nll), nll]", "groups' losses are divided by themselves"),
        ("torch.div(places, real.size(1)", "torch.div(places, real.size(1) + 1", "tokens are counted to other groups"),
        (
            "(1.0 - self.label_smoothing - spread) * nll.sum()",
            "(1.0 - self.label_smoothing) * nll.sum()",
            "the plain loss is another one",
        ),
        ("loss / 2 + ", "loss + ", "R-Drop counts every token twice"),
        ("self.rdrop_alpha > 0 and model.training", "self.rdrop_alpha > 0", "validation measures R-Drop too"),
    ),
    *_faults(
        "criterions/rdrop.py",
        ("(first.exp() - second.exp()) * (first - second)", "first.exp() * (first - second)", "one divergence of two"),
    ),
]

TASKS = [
    *_faults(
        "tasks/base.py",
        (
            "            check_sentencepiece_model(self.dictionary.symbols, path)\n",
            "            pass\n",
            "text is cut into pieces that the model does not know",
        ),
        (
            "self.folders[(epoch - 1) % len(self.folders)]",
            "self.folders[epoch % len(self.folders)]",
            "the first pass reads the second folder",
        ),
        ("if len(set(self.tags)) == 1 else None", "", "raw text goes into the first language"),
    ),
    *_faults(
        "tasks/swcm_finetuning.py",
        (
            "self.cfg.sampling_alpha if split == self.train_split else None",
            "self.cfg.sampling_alpha",
            "test sets are drawn from",
        ),
        ("self.tags[group],", "self.tags[0],", "all pairs have the first one's language"),
    ),
    *_faults(
        "tasks/swcm_pretraining.py",
        (
            "                    self.tags[number],",
            "                    self.tags[group],",
            "the way back has the wrong tag",
        ),
        ("(self.cfg.max_source_positions - 1, ", "(self.cfg.max_source_positions, ", "sources too long by <s>"),
        ("sizes[number::2]", "sizes[number:]", "shares for twice as many pairs"),
        (
            "np.flatnonzero(~(empty[0] | empty[1]))",
            "np.flatnonzero(~(empty[0] & empty[1]))",
            "empty sides are trained on",
        ),
        ("symbols_that_are_no_text(dictionary)]", "[]]", "scheduled sampling puts tags into texts"),
    ),
]

BEYOND = [
    *_faults(
        "training/scheduled_sampling.py",
        ("rows, columns - 1, self.never)", "rows, columns, self.never)", "predictions are one place off"),
        ("        drawn[:, 0] = False\n", "", "the tag itself is replaced"),
        ("        model.train(training)\n", "        pass\n", "dropout is off from the first draw on"),
    ),
    *_faults(
        "decoding/generator.py",
        (
            'options.setdefault("tokens_to_suppress", symbols_that_are_no_text(dictionary))',
            "pass",
            "tags and <mask> are written",
        ),
        (
            "tags.to(source.device)[rows].repeat_interleave(generator.beam_size)",
            "tags.to(source.device)[rows].repeat(generator.beam_size)",
            "sentences get each other's language",
        ),
    ),
    *_faults(
        "decoding/hypotheses.py",
        (
            "sources = self.pieces.cut(texts)",
            "sources = self.pieces.model.encode(list(texts), out_type=str)",
            "a </s> in a text ends it",
        ),
        ("return [source[:limit] for source in sources]", "return sources", "a long source ends in an error"),
    ),
    *_faults(
        "optim/adamw.py",
        ('group["lr"] = lr * group["lr_scale"]', 'group["lr"] = lr', "--copied-lr-scale does nothing"),
        ("lr_scale=scale, **self.kernel", "**self.kernel", "a resumed training forgets the scale of its rates"),
    ),
    *_faults(
        "models/rates.py",
        ('name in copied or name.startswith("encoder.")', "name in copied", "the encoder learns at the full rate"),
    ),
    *_faults(
        "fairseq_patches/no_repeat_ngram.py", ("tokens[:, : step + 1]", "tokens", "--no-repeat-ngram-size does nothing")
    ),
    *_faults(
        "decoding/averaging.py",
        ("tensor.div_(len(paths))", "tensor.div_(2)", "right for two checkpoints alone"),
    ),
]

FAULTS = MODELS + MODULES + WEIGHTS + DATA + CRITERIONS + TASKS + BEYOND
