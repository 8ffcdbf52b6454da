"""Languages, datasets and sampling."""
