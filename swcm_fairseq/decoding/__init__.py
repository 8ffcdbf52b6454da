"""From a checkpoint to text: averaged checkpoints, the packed folder, and the translator that reads it."""
