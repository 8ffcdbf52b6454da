"""Output layer and label-smoothed cross-entropy in chunks of tokens.

With a vocabulary of 250,000 pieces the logits of one batch take gigabytes, and their gradient as much again. Here they
exist for one chunk of tokens at a time: a chunk's logits become its loss and, in the same pass, its gradients, so
three matrix products a chunk are all that is ever computed.

Axes: N tokens (no padding among them), C channels, V vocabulary.
"""

import contextlib
from typing import Iterator

import torch
from torch.autograd.function import once_differentiable

from ..modules.padding import asking_waits


def chunked_cross_entropy(hidden, weight, bias, targets, label_smoothing=0.0, chunk_size=-1):
    """Loss of ``softmax(hidden @ weight.T + bias)`` against ``targets``, summed over the tokens.

    The smoothed target gives each of the V - 1 other pieces ``label_smoothing / (V - 1)`` and the right one the rest,
    which is what fairseq's label_smoothed_cross_entropy computes.

    Args:
        hidden: decoder output, [N, C].
        weight: output layer, [V, C]; its gradient comes in its own dtype.
        bias: [V] or None.
        targets: [N], int64, every one a piece that counts.
        label_smoothing: share of the probability that is spread, 0 for none.
        chunk_size: tokens a chunk; -1 makes chunks that are alike, none longer than ``default_chunk_size``.

    Returns:
        The loss (scalar, natural logarithm, differentiable), the negative log-likelihood of each target [N], and
        whether each target is the most likely piece [N], bool. Floats are float32 (float64 for float64 input).
    """
    if hidden.is_cuda and torch.is_autocast_enabled():
        hidden = hidden.to(torch.get_autocast_gpu_dtype())
    if chunk_size == -1:
        # As few as there must be, and alike: short ones keep no processor busy.
        tokens, longest = max(1, targets.size(0)), default_chunk_size(weight.size(0), hidden)
        chunk_size = -(-tokens // -(-tokens // longest))
    if chunk_size < 1:
        raise ValueError(f"chunk_size is {chunk_size}; it must be positive, or -1 for the default")
    return _ChunkedCrossEntropy.apply(
        hidden, weight, bias, targets, label_smoothing, chunk_size, torch.is_grad_enabled()
    )


def default_chunk_size(vocabulary, hidden):
    """The most tokens a chunk: 64 MiB of logits (1 GiB on a GPU), but enough to keep the matrix products efficient.

    With few tokens a chunk, reading and writing the gradient of ``weight`` costs as much as the products do.
    """
    item = hidden.element_size()
    fewest, memory = (2048 // item, 2**26) if hidden.device.type == "cpu" else (1024, 2**30)
    return max(fewest, memory // (item * vocabulary))


class _ChunkedCrossEntropy(torch.autograd.Function):
    """See ``chunked_cross_entropy``.

    With P the softmax, the gradient of the loss by the logits is ``P - (1 - eps - eps_i) * onehot - eps_i``, where
    eps_i is eps / (V - 1). The constant never touches an [N, V] matrix: as a matrix of rank one, its products with
    ``weight`` and ``hidden`` are the sums of their rows.
    """

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, smoothing, chunk_size, grad_enabled):
        wanted = [grad_enabled and needed for needed in ctx.needs_input_grad[:3]]
        with torch.autocast(hidden.device.type, enabled=False), _tf32(hidden):
            loss, nll, correct, gradients = _loss_and_gradients(
                hidden, weight, bias, targets, smoothing, chunk_size, wanted
            )
        # Not save_for_backward: backward scales these in place and gives them away.
        ctx.gradients = gradients
        ctx.dtypes = [None if tensor is None else tensor.dtype for tensor in (hidden, weight, bias)]
        ctx.mark_non_differentiable(nll, correct)
        return loss, nll, correct

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_loss, *_):
        if ctx.gradients is None:
            raise RuntimeError("the gradients of the chunked loss were given away in its first backward pass")
        gradients, ctx.gradients = ctx.gradients, None
        # On a GPU, looking at the value would wait for it; multiplying costs less.
        if asking_waits(grad_loss) or grad_loss != 1:
            gradients = [None if gradient is None else gradient.mul_(grad_loss) for gradient in gradients]
        # In float32 until here, since a loss scale for float16 is in grad_loss.
        gradients = [None if g is None else g.to(dtype) for g, dtype in zip(gradients, ctx.dtypes)]
        return (*gradients, None, None, None, None)


def _loss_and_gradients(hidden, weight, bias, targets, smoothing, chunk_size, wanted):
    """Loss, nll [N], correct [N] and the three gradients, each None unless ``wanted``; all sums in float32."""
    exact = torch.promote_types(hidden.dtype, torch.float32)
    tokens, vocabulary = targets.size(0), weight.size(0)
    spread = smoothing / (vocabulary - 1)
    kept = 1.0 - smoothing - spread
    # A probability may be below what float16 can hold; bfloat16 has float32's range.
    product = torch.float32 if hidden.dtype == torch.float16 else hidden.dtype
    output = weight.to(hidden.dtype)
    wide = output.to(product)  # once, not a chunk
    # Sums over chunks are in float32; a single chunk's bfloat16 gradient needs none. The first chunk writes every row.
    summed = product if product == weight.dtype and tokens <= chunk_size else exact
    d_weight = (torch.empty_like if tokens else torch.zeros_like)(weight, dtype=summed) if wanted[1] else None
    d_hidden = torch.empty_like(hidden, dtype=exact) if wanted[0] else None
    d_bias = torch.full_like(bias, -spread * tokens, dtype=exact) if wanted[2] else None
    # The gradient's part of rank one, that of -spread * sum(logits): the same for every row.
    of_hidden = _sum_of_rows(output, exact) * -spread if wanted[0] or smoothing else None
    of_weight = _sum_of_rows(hidden, exact) * -spread if wanted[1] else None

    nll = torch.empty(tokens, dtype=exact, device=hidden.device)
    log_sums = torch.empty_like(nll)
    correct = torch.empty_like(nll, dtype=torch.bool)
    logits = _buffer(hidden, min(chunk_size, tokens), vocabulary, hidden.dtype)
    errors = logits if product == logits.dtype else _buffer(hidden, min(chunk_size, tokens), vocabulary, product)
    for first in range(0, tokens, chunk_size):
        rows = slice(first, first + chunk_size)
        part = hidden[rows]
        chunk, error = logits[: part.size(0)], errors[: part.size(0)]
        if bias is None:
            torch.mm(part, output.t(), out=chunk)
        else:
            torch.addmm(bias.to(part.dtype), part, output.t(), out=chunk)
        _softmax_errors(chunk, targets[rows], kept, error, nll[rows], log_sums[rows], correct[rows])
        if d_hidden is not None:
            torch.add(torch.mm(error, wide), of_hidden, out=d_hidden[rows])
        if d_weight is not None:
            _add_product(d_weight, error, part.to(product), of_weight if first == 0 else None)
        if d_bias is not None:
            d_bias += error.sum(0, dtype=exact)

    loss = kept * nll.sum()
    if smoothing:
        loss = loss + hidden.to(exact).mv(of_hidden).sum() + spread * vocabulary * log_sums.sum()
        if bias is not None:
            loss = loss - spread * tokens * bias.sum(dtype=exact)
    return loss, nll, correct, [d_hidden, d_weight, d_bias]


@contextlib.contextmanager
def _tf32(hidden) -> Iterator[None]:
    """float16's products, which are taken in float32 for its range, on a GPU's quick units: TF32 rounds as float16."""
    before = torch.backends.cuda.matmul.allow_tf32
    if not hidden.is_cuda or hidden.dtype != torch.float16 or before:
        yield
        return
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _buffer(like, rows, vocabulary, dtype):
    """An empty matrix [rows, vocabulary] for logits, one of few sizes, so that its memory is used again.

    Batches differ in their tokens: with as many sizes of the largest buffer there is, an allocator finds no block that
    fits and takes new ones. And on a GPU rows in half precision begin at multiples of 16 bytes, as its matrix units
    want them, whatever the vocabulary is; weights and checkpoints stay as they are.
    """
    width = vocabulary
    if like.device.type != "cpu" and like.element_size() < 4:
        width = -(-vocabulary // 8) * 8
    return like.new_empty(_rounded(rows), width, dtype=dtype)[:rows, :vocabulary]


def _rounded(rows):
    """``rows`` or up to a quarter more: one of four numbers between two powers of two, 16 or more."""
    step = max(16, 2 ** (max(rows - 1, 1).bit_length() - 3))
    return -(-rows // step) * step


def _softmax_errors(logits, target, kept, errors, nll, log_sums, correct):
    """Write softmax - ``kept`` * onehot into ``errors`` [n, V], which may be ``logits`` itself.

    Fills ``nll``, ``log_sums`` (log of the softmax's denominator) and ``correct``, each (n,). Where the logits are not
    in float32, this works on blocks of rows in a float32 buffer that stays in the processor's cache.
    """
    exact = nll.dtype
    block = logits.size(0) if logits.dtype == exact else _block(logits)
    buffer = None if logits.dtype == exact else logits.new_empty(block, logits.size(1), dtype=exact)
    for first in range(0, logits.size(0), block):
        rows = slice(first, first + block)
        index = target[rows].unsqueeze(1)
        part = logits[rows] if buffer is None else buffer[: index.size(0)].copy_(logits[rows])
        score = part.gather(1, index)
        others = part.scatter_(1, index, float("-inf")).amax(1, keepdim=True)
        part.scatter_(1, index, score)
        correct[rows] = _is_argmax(part, index, score, others).squeeze(1)
        top = torch.max(score, others)
        torch.softmax(part, 1, out=part)
        # The greatest probability is at least 1 / V, so its logarithm is safe; a target's own may be 0 in float32.
        log_sum = top - part.amax(1, keepdim=True).log()
        nll[rows] = (log_sum - score).squeeze(1)
        log_sums[rows] = log_sum.squeeze(1)
        part.scatter_add_(1, index, torch.full_like(score, -kept))
        if buffer is not None:
            errors[rows] = part


def _is_argmax(logits, index, score, others):
    """Whether ``index`` (n, 1) is each row's argmax, its ``score`` and the highest of ``others`` (n, 1) being known.

    On a processor argmax takes thirty times as long as amax, so only rows where both are the same are asked.
    """
    if asking_waits(logits):
        return logits.argmax(1, keepdim=True) == index
    found = score > others
    tied = (score == others).squeeze(1).nonzero().squeeze(1)
    if tied.numel():
        found[tied] = logits[tied].argmax(1, keepdim=True) == index[tied]
    return found


def _add_product(total, errors, hidden, start):
    """``total`` [V, C] += ``errors.T`` [V, n] @ ``hidden`` [n, C], in ``total``'s dtype.

    With ``start`` [C], ``total`` holds nothing yet, and every row begins with it.
    """
    if errors.dtype == total.dtype:
        torch.addmm(total if start is None else start.to(total.dtype), errors.t(), hidden, out=total)
        return
    # A product comes out in its factors' dtype; adding it while it is in the cache saves two passes over memory.
    block = _block(hidden)
    for first in range(0, total.size(0), block):
        rows = total[first : first + block]
        product = errors[:, first : first + block].t().mm(hidden)
        if start is None:
            rows += product
        else:
            rows.copy_(product).add_(start)


def _sum_of_rows(matrix, dtype):
    """The rows' sum, [C], in ``dtype``, without a copy of the whole matrix in it."""
    total = matrix.new_zeros(matrix.size(1), dtype=dtype)
    buffer = None if matrix.dtype == dtype else matrix.new_empty(_block(matrix), matrix.size(1), dtype=dtype)
    for rows in matrix.split(_block(matrix)):
        total += (rows if buffer is None else buffer[: rows.size(0)].copy_(rows)).sum(0)
    return total


def _block(matrix):
    """As many rows of ``matrix`` as stay in a processor's cache, or keep a GPU busy, in float32."""
    return max(1, (2**19 if matrix.device.type == "cpu" else 2**26) // matrix.size(1))
