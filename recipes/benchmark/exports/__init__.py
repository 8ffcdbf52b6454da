"""What exported models are worth: the same texts as ours? how fast, how large? See ../export_check.sh."""
