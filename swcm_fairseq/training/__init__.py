"""A run of ``fairseq-train``: its settings, how its processes start, what it takes over, and scheduled sampling."""
