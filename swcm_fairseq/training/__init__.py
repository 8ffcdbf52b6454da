"""A run of ``fairseq-train``: how long it will take, and scheduled sampling."""
