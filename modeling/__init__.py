"""SpineGPT: load a Qwen2.5-VL model, train it in three stages, publish its checkpoints."""
