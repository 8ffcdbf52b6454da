"""What the machine can do at best: the speed of matrix products and of memory, measured."""

import time

import torch

SIDE = {"cpu": 1024, "cuda": 8192}
BUFFER = {"cpu": 2**27, "cuda": 2**31}  # bytes, far more than a processor's cache holds


class Machine:
    """Large products and large copies, to be timed in turn with the systems."""

    def __init__(self, case):
        torch.set_num_threads(case["threads"])
        self.device = case["device"]
        dtype = torch.bfloat16 if case["dtype"] == "bf16" else torch.float32
        self.factors = [torch.randn(SIDE[self.device], SIDE[self.device], device=self.device).to(dtype) for _ in "ab"]
        self.product = torch.empty_like(self.factors[0])
        self.buffers = [torch.ones(BUFFER[self.device] // 4, device=self.device) for _ in "ab"]

    def matrix(self):
        """(operations, seconds) of products in the case's dtype."""
        seconds = self._best(lambda: torch.mm(*self.factors, out=self.product))
        return 2 * self.product.size(0) ** 3, seconds

    def memory(self):
        """(bytes, seconds) of the quicker of reading two buffers and copying one."""
        size = 2 * self.buffers[0].numel() * self.buffers[0].element_size()
        read = self._best(lambda: torch.dot(*self.buffers))
        copied = self._best(lambda: self.buffers[1].copy_(self.buffers[0]))
        return size, min(read, copied)

    def _best(self, work, repeats: int = 4) -> float:
        return min(self._time(work) for _ in range(repeats))

    def _time(self, work) -> float:
        self._wait()
        start = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
