"""What dictionaries, embedding rows and SentencePiece models are agreed on, each once."""

# Ids 0 to 3 of fairseq's dictionaries and of XLM-R's embedding rows; pieces follow, then <mask>.
SPECIALS = BOS, PAD, EOS, UNKNOWN = ("<s>", "<pad>", "</s>", "<unk>")
BOS_ID, PAD_ID, EOS_ID, UNKNOWN_ID = range(len(SPECIALS))
MASK = "<mask>"

#: SentencePiece's mark for a space.
SPACE = "\u2581"

#: Files that stand beside an encoder, pieces, data and checkpoints.
DICTIONARY = "dict.txt"
SENTENCEPIECE_MODEL = "sentencepiece.bpe.model"
CARD = "README.md"  # which names the licence
