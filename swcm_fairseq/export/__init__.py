"""A trained model leaves for what everybody runs: Hugging Face, CTranslate2, ONNX."""
