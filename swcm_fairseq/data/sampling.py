"""How often each language is drawn (paper, section 4.1; XLM-R, Conneau et al. 2020)."""

from typing import List, Sequence, Tuple

import numpy as np


def sampling_shares(sizes: Sequence[float], alpha: float) -> np.ndarray:
    """p_i = q_i^alpha / sum_j q_j^alpha with q_i = sizes_i / sum(sizes).

    Args:
        sizes: how much data each language has, in any unit; zero is never drawn.
        alpha: 1 draws by size, 0 draws all alike, the paper has 0.3.
    """
    amounts = np.asarray(sizes, dtype=np.float64)
    weights = np.where(amounts > 0, (amounts / amounts.sum()) ** alpha, 0.0)
    return weights / weights.sum()


def draw_counts(shares: np.ndarray, total: int) -> List[int]:
    """Whole numbers that add up to ``total`` and differ from ``shares * total`` by less than one each."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    largest_remainders = np.argsort(-(exact - counts), kind="mergesort")
    counts[largest_remainders[: total - counts.sum()]] += 1
    return counts.tolist()


def draw(size: int, count: int, random: np.random.RandomState) -> np.ndarray:
    """``count`` indices below ``size``, each as often as every other give or take one."""
    whole, rest = divmod(count, size)
    parts = [np.arange(size)] * whole + [random.permutation(size)[:rest]]
    return np.concatenate(parts).astype(np.int64)


def objective_shares(
    texts: Sequence[int], pairs: Sequence[int], alpha: float, mt_share: float
) -> Tuple[np.ndarray, int]:
    """Shares of an epoch and its length, for denoising and translation together.

    Args:
        texts: denoising examples of each language.
        pairs: translation examples of each pair in one direction.
        alpha: see ``sampling_shares``; used among languages, and among pairs.
        mt_share: share of translation, where there is denoising too.

    Returns:
        the share of each language, then of each pair's two directions, side by side; and how many examples an epoch
        has: all denoising examples and so many translations that they are ``mt_share``.
    """
    if not len(pairs):
        return sampling_shares(texts, alpha), int(sum(texts))
    directions = np.repeat(sampling_shares(pairs, alpha) / 2, 2)
    if not len(texts):
        return directions, 2 * int(sum(pairs))
    shares = np.concatenate([(1 - mt_share) * sampling_shares(texts, alpha), mt_share * directions])
    return shares, int(round(sum(texts) / (1 - mt_share)))
