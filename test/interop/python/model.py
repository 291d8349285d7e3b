"""Makes a model folder for Dynamo's mocker: `model.py DIRECTORY`. Nothing is downloaded.

A byte-level BPE tokenizer trained on a few lines, with enough further tokens that every id the mocker draws has text.
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

# The mocker draws ids up to about 2,000; an id without text leaves the answer's content null.
FURTHER_TOKENS = 4000
LINES = ["the quick brown fox jumps over the lazy dog", "a gateway sends a request to a worker", "user assistant system hello world"]
CHAT_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


def main(directory):
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(LINES, trainers.BpeTrainer(special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([f"tok{number} " for number in range(FURTHER_TOKENS)])
    tokenizer.save(str(directory / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    files = {
        "config.json": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 4, "head_dim": 16, "vocab_size": size, "max_position_embeddings": 4096, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float16"},
        "generation_config.json": {"bos_token_id": 0, "eos_token_id": 1},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "model_max_length": 4096, "chat_template": CHAT_TEMPLATE},
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
