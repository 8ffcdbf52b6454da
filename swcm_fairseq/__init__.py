"""XLM-SWCM for fairseq: text generators for low-resource languages that start from a multilingual encoder."""
