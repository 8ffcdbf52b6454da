"""The registered model and its two halves."""
