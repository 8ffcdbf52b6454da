"""Files of pieces, datasets and sampling."""
