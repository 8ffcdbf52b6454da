"""Speed and memory of the package against Hugging Face's EncoderDecoderModel and fairseq's own transformer.

``recipes/benchmark/speed.sh`` runs it and says how. The parent (``__main__``) composes batches and never loads torch;
each system is a process of its own (``worker``) that makes its tensors from the parent's numbers.
"""
