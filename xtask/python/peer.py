"""The published Python package as a process that is told when to work.

    peer.py (flax | torch) (forward | training) FOLDER

FOLDER holds `config.json`, `weights.safetensors`, `input.bin` and `noise.f32`: the noise of an
evaluation and of the first steps. Says `ready` when the weights are loaded. Answers `run` with the
seconds of one forward pass or one training step, and `check` with the loss: that of the input, after
the logits were written to `check`'s path as little-endian 32-bit floats, or that of one step. `save`
writes the weights as they are to its path.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
from soma_models.v1.configs import ModelConfig, SIGRegConfig
from soma_models.v1.tokenizer import tokenize

# The same numbers on both sides.
LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY = 1e-4, (0.9, 0.999), 1e-8, 0.01
SLICES = SIGRegConfig().slices


class Flax:
    def __init__(self, path, config, tokens, positions, targets, noise):
        import jax.numpy as jnp
        from flax import nnx
        from soma_models.v1.flax import Model, SIGReg

        self.nnx = nnx
        self.model = Model.load(path, config, rngs=nnx.Rngs(0))
        self.sig_reg = SIGReg(SIGRegConfig(), rngs=nnx.Rngs(0))
        self.tokens, self.positions, self.targets, self.noise = map(
            jnp.asarray, (tokens, positions, targets, noise)
        )
        self.jitted = nnx.jit(lambda model, tokens, positions: model(tokens, positions))

    def loss_of(self, model, noise):
        from soma_models.v1.flax import compute_loss

        sig_reg = lambda x: self.sig_reg.compute(x, noise)
        return compute_loss(model, sig_reg, token_ids=self.tokens, targets=self.targets)[0]

    def forward(self):
        self.model.eval()
        return self.jitted(self.model, self.tokens, self.positions).block_until_ready()

    def loss(self):
        self.model.eval()
        return float(self.nnx.jit(self.loss_of)(self.model, self.noise[0]))

    def start_training(self):
        import optax

        nnx = self.nnx
        (b1, b2), rate = BETAS, LEARNING_RATE
        rule = optax.adamw(rate, b1=b1, b2=b2, eps=EPSILON, weight_decay=WEIGHT_DECAY)
        self.model.train()
        self.optimizer = nnx.Optimizer(self.model, rule, wrt=nnx.Param)

        def step(model, optimizer, noise):
            loss, gradients = nnx.value_and_grad(self.loss_of)(model, noise)
            optimizer.update(model, gradients)
            return loss

        # Donated: the new weights take the place of the old ones.
        self.jitted_step = nnx.jit(step, donate_argnums=(0, 1))

    def step(self, number):
        noise = self.noise[number % len(self.noise)]
        return float(self.jitted_step(self.model, self.optimizer, noise))

    def numbers(self, logits):
        return np.asarray(logits)


class Torch:
    def __init__(self, path, config, tokens, positions, targets, noise):
        import torch
        from soma_models.v1.torch import Model, SIGReg

        self.torch = torch
        self.model = Model.load(path, config)
        self.sig_reg = SIGReg(SIGRegConfig())
        self.tokens, self.positions, self.targets = (
            torch.from_numpy(numbers.astype(np.int64)) for numbers in (tokens, positions, targets)
        )
        self.noise = torch.from_numpy(noise)

    def loss_of(self, noise):
        from soma_models.v1.torch import compute_loss

        sig_reg = lambda x: self.sig_reg.compute(x, noise)
        return compute_loss(self.model, sig_reg, token_ids=self.tokens, targets=self.targets)[0]

    def forward(self):
        self.model.eval()
        with self.torch.inference_mode():
            return self.model(self.tokens, self.positions)

    def loss(self):
        self.model.eval()
        with self.torch.inference_mode():
            return float(self.loss_of(self.noise[0]))

    def start_training(self):
        self.model.train()
        self.optimizer = self.torch.optim.AdamW(
            self.model.parameters(), LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY
        )

    def step(self, number):
        self.optimizer.zero_grad()
        loss = self.loss_of(self.noise[number % len(self.noise)])
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def numbers(self, logits):
        return logits.numpy()


def load(framework, folder):
    size = json.loads((folder / "config.json").read_text())
    config = ModelConfig(
        dropout_rate=0.0,
        embedding_dim=size["embedding_dim"],
        pwff_hidden_dim=size["hidden_dim"],
        num_layers=size["layers"],
        num_heads=size["heads"],
    )
    sequences = tokenize((folder / "input.bin").read_bytes())
    columns = ("token_ids", "pos_ids", "targets")
    arrays = (np.array([getattr(s, c) for s in sequences], dtype=np.int32) for c in columns)
    noise = np.fromfile(folder / "noise.f32", dtype="<f4").reshape(-1, config.embedding_dim, SLICES)
    peer = {"flax": Flax, "torch": Torch}[framework]
    return peer(folder / "weights.safetensors", config, *arrays, noise)


def main():
    framework, task, folder = sys.argv[1:]
    peer = load(framework, Path(folder))
    if task == "training":
        peer.start_training()
    steps = itertools.count()
    print("ready", flush=True)
    for line in sys.stdin:
        command, *paths = line.strip().split(" ", 1)
        if command == "save":
            peer.model.save(paths[0])
            print("saved", flush=True)
            continue
        start = time.perf_counter()
        if task == "training":
            loss = peer.step(next(steps))
        else:
            logits = peer.forward()
        seconds = time.perf_counter() - start
        if command == "check" and task == "forward":
            peer.numbers(logits).astype("<f4").tofile(paths[0])
            loss = peer.loss()
        print(seconds if command == "run" else loss, flush=True)


main()
