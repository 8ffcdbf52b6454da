"""The parts of recipes/benchmark/gpu_check.sh."""
