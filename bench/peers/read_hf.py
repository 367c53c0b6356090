"""Reads a model as Hugging Face lays it out and prints the logits of given ids, by a forward pass of its own in float64.

    python3 read_hf.py FOLDER 1,17,4

Written from the papers and the format, with nothing of Troupe's: what an export must be readable by. PyTorch multiplies the matrices where
it is there; without it plain Python does, which is enough for models of some thousand parameters. Prints JSON: a list of logits an id.
"""

import json
import math
import struct
import sys
from array import array
from pathlib import Path

try:
    import torch
except ImportError:
    torch = None


def widened(dtype, raw):
    """The values of raw little-endian bytes."""
    if dtype == "F32":
        return array("f", raw)
    if dtype == "F16":
        return array("f", (value for (value,) in struct.iter_unpack("<e", raw)))
    if dtype == "BF16":
        return array("f", b"".join(b"\0\0" + raw[at : at + 2] for at in range(0, len(raw), 2)))
    raise SystemExit(f"no reader for {dtype}")


class Tensors:
    """Tensors of a folder by name, as lists of rows, read when they are asked for."""

    def __init__(self, folder):
        index = folder / "model.safetensors.index.json"
        files = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
        self.places = {}
        for file in sorted(files):
            with open(folder / file, "rb") as opened:
                (length,) = struct.unpack("<Q", opened.read(8))
                header = json.loads(opened.read(length))
            header.pop("__metadata__", None)
            for name, entry in header.items():
                self.places[name] = (folder / file, 8 + length, entry)

    def __contains__(self, name):
        return name in self.places

    def vector(self, name):
        path, data_at, entry = self.places[name]
        begin, end = entry["data_offsets"]
        with open(path, "rb") as opened:
            opened.seek(data_at + begin)
            return list(widened(entry["dtype"], opened.read(end - begin)))

    def rows(self, name):
        flat = self.vector(name)
        width = self.places[name][2]["shape"][-1]
        return [flat[at : at + width] for at in range(0, len(flat), width)]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def plus(a, b):
    return [x + y for x, y in zip(a, b)]


class Model:
    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = Tensors(folder)

    def linear(self, name, rows):
        """y = x W^T + b of each row."""
        weight = self.tensors.rows(f"{name}.weight")
        if torch is not None:
            tensor = torch.tensor(rows, dtype=torch.float64) @ torch.tensor(weight, dtype=torch.float64).T
            result = tensor.tolist()
        else:
            result = [[dot(row, each) for each in weight] for row in rows]
        if f"{name}.bias" not in self.tensors:
            return result
        bias = self.tensors.vector(f"{name}.bias")
        return [plus(row, bias) for row in result]

    def act(self, x):
        name = self.config.get("hidden_act") or "silu"
        if name == "relu2":
            return max(x, 0.0) ** 2
        if name == "relu":
            return max(x, 0.0)
        if name == "gelu":
            return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
        return x / (1 + math.exp(-x)) if x > -700 else 0.0

    def rms_norm(self, name, rows, epsilon):
        scale = self.tensors.vector(f"{name}.weight")
        return [
            [s * x / math.sqrt(dot(row, row) / len(row) + epsilon) for s, x in zip(scale, row)] for row in rows
        ]

    def layer_norm_1p(self, name, rows, epsilon):
        """Mean removed, divided by the deviation, times weight + 1, plus bias (NeMo's LayerNorm1P)."""
        scale, bias = self.tensors.vector(f"{name}.weight"), self.tensors.vector(f"{name}.bias")
        result = []
        for row in rows:
            mean = math.fsum(row) / len(row)
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in row) / len(row) + epsilon)
            result.append([(s + 1) * (x - mean) / deviation + b for s, b, x in zip(scale, bias, row)])
        return result

    def norm(self, name, rows):
        if self.config["model_type"] == "nemotron":
            return self.layer_norm_1p(name, rows, self.config.get("norm_eps", 1e-5))
        return self.rms_norm(name, rows, self.config["rms_norm_eps"])

    def frequencies(self, width):
        """Of the channels that turn (arXiv 2104.09864), with the rule of Llama 3 or evenly scaled where the config says so."""
        block = self.config.get("rope_parameters") or {}
        scaling = block or self.config.get("rope_scaling") or {}
        share = block.get("partial_rotary_factor", self.config.get("partial_rotary_factor", 0.5))
        turned = int(width * share) if self.config["model_type"] == "nemotron" else width
        theta = block.get("rope_theta") or self.config.get("rope_theta", 10_000.0)
        plain = [theta ** (-2 * i / turned) for i in range(turned // 2)]
        rule = scaling.get("rope_type", scaling.get("type", "default"))
        if rule == "linear":
            return [f / scaling["factor"] for f in plain]
        if rule == "default":
            return plain
        if rule != "llama3":
            raise SystemExit(f"no reader for rope_type {rule}")
        length = scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]

        def scaled(f):
            turns = length * f / (2 * math.pi)
            mix = min(1.0, max(0.0, (turns - low) / (high - low)))
            return (1 - mix) * f / scaling["factor"] + mix * f

        return [scaled(f) for f in plain]

    def attention(self, name, rows):
        heads = self.config["num_attention_heads"]
        shared = self.config.get("num_key_value_heads") or heads
        width = self.config.get("head_dim") or self.config["hidden_size"] // heads
        window = self.config.get("sliding_window") or len(rows)
        frequencies = self.frequencies(width)
        half = len(frequencies)

        def turned(head, position):
            result = list(head)
            for i, frequency in enumerate(frequencies):
                c, s = math.cos(position * frequency), math.sin(position * frequency)
                a, b = head[i], head[i + half]
                result[i], result[i + half] = a * c - b * s, b * c + a * s
            return result

        def split(part, count, turns):
            projected = self.linear(f"{name}.{part}_proj", rows)
            return [
                [
                    turned(row[h * width : (h + 1) * width], t) if turns else row[h * width : (h + 1) * width]
                    for h in range(count)
                ]
                for t, row in enumerate(projected)
            ]

        q, k, v = split("q", heads, True), split("k", shared, True), split("v", shared, False)
        mixed = []
        for t in range(len(rows)):
            row = []
            seen = range(max(0, t - window + 1), t + 1)
            for h in range(heads):
                g = h * shared // heads
                scores = [dot(q[t][h], k[u][g]) / math.sqrt(width) for u in seen]
                top = max(scores)
                weights = [math.exp(score - top) for score in scores]
                total = math.fsum(weights)
                row += [math.fsum(w * v[u][g][i] for w, u in zip(weights, seen)) / total for i in range(width)]
            mixed.append(row)
        return self.linear(f"{name}.o_proj", mixed)

    def gated(self, rows, gate, up, down):
        gates, ups = self.linear(gate, rows), self.linear(up, rows)
        return self.linear(down, [[self.act(g) * u for g, u in zip(*pair)] for pair in zip(gates, ups)])

    def feed_forward(self, layer, rows):
        kind = self.config["model_type"]
        if kind == "nemotron":
            inner = [[self.act(x) for x in row] for row in self.linear(f"{layer}.mlp.up_proj", rows)]
            return self.linear(f"{layer}.mlp.down_proj", inner)
        if kind != "mixtral":
            return self.gated(rows, *(f"{layer}.mlp.{part}_proj" for part in ("gate", "up", "down")))
        name = f"{layer}.block_sparse_moe"
        result = []
        for row, logits in zip(rows, self.linear(f"{name}.gate", rows)):
            chosen = sorted(range(len(logits)), key=lambda e: -logits[e])[: self.config["num_experts_per_tok"]]
            gates = [math.exp(logits[e] - logits[chosen[0]]) for e in chosen]
            outputs = [self.gated([row], *(f"{name}.experts.{e}.{w}" for w in ("w1", "w3", "w2")))[0] for e in chosen]
            total = math.fsum(gates)
            result.append([math.fsum(g * y for g, y in zip(gates, column)) / total for column in zip(*outputs)])
        return result

    def mamba(self, name, rows):
        """The selective state space of arXiv 2312.00752, one token after another."""
        states, rank = self.config["state_size"], self.config["time_step_rank"]
        projected = self.linear(f"{name}.in_proj", rows)
        inner = len(projected[0]) // 2
        taps = self.tensors.rows(f"{name}.conv1d.weight")
        bias = self.tensors.vector(f"{name}.conv1d.bias") if f"{name}.conv1d.bias" in self.tensors else [0.0] * inner
        count = len(taps[0])
        x = []
        for t in range(len(rows)):
            before = [(j, t - count + 1 + j) for j in range(count) if t - count + 1 + j >= 0]
            x.append([self.act(bias[c] + math.fsum(taps[c][j] * projected[u][c] for j, u in before)) for c in range(inner)])
        selected = self.linear(f"{name}.x_proj", x)
        steps = self.linear(f"{name}.dt_proj", [row[:rank] for row in selected])
        decay = [[-math.exp(a) for a in row] for row in self.tensors.rows(f"{name}.A_log")]
        skip = self.tensors.vector(f"{name}.D")
        state = [[0.0] * states for _ in range(inner)]
        result = []
        for t, row in enumerate(selected):
            b, c = row[rank : rank + states], row[rank + states :]
            y = []
            for i in range(inner):
                step = math.log1p(math.exp(-abs(steps[t][i]))) + max(steps[t][i], 0.0)
                state[i] = [math.exp(step * a) * s + step * b[n] * x[t][i] for n, (a, s) in enumerate(zip(decay[i], state[i]))]
                y.append((dot(state[i], c) + skip[i] * x[t][i]) * self.act(projected[t][inner + i]))
            result.append(y)
        return self.linear(f"{name}.out_proj", result)

    def logits(self, ids):
        layers = range(self.config["num_hidden_layers"])
        if self.config["model_type"] == "mamba":
            epsilon = self.config["layer_norm_epsilon"]
            embedding, rows = "backbone.embeddings", None
            table = self.tensors.rows(f"{embedding}.weight")
            rows = [table[i] for i in ids]
            for i in layers:
                name = f"backbone.layers.{i}"
                mixed = self.mamba(f"{name}.mixer", self.rms_norm(f"{name}.norm", rows, epsilon))
                rows = [plus(*pair) for pair in zip(rows, mixed)]
            rows = self.rms_norm("backbone.norm_f", rows, epsilon)
        else:
            embedding = "model.embed_tokens"
            table = self.tensors.rows(f"{embedding}.weight")
            rows = [table[i] for i in ids]
            for i in layers:
                name = f"model.layers.{i}"
                mixed = self.attention(f"{name}.self_attn", self.norm(f"{name}.input_layernorm", rows))
                rows = [plus(*pair) for pair in zip(rows, mixed)]
                fed = self.feed_forward(name, self.norm(f"{name}.post_attention_layernorm", rows))
                rows = [plus(*pair) for pair in zip(rows, fed)]
            rows = self.norm("model.norm", rows)
        return self.linear("lm_head" if "lm_head.weight" in self.tensors else embedding, rows)


if __name__ == "__main__":
    print(json.dumps(Model(Path(sys.argv[1])).logits([int(each) for each in sys.argv[2].split(",")])))
