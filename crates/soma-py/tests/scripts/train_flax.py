"""Trains the small model with the published Flax package, commits, and reveals."""

import asyncio
import http.server
import json
import os
import sys
import threading
from pathlib import Path

import jax.numpy as jnp
import optax
from flax import nnx
from soma_models.v1.configs import ModelConfig, SIGRegConfig
from soma_models.v1.flax import Model, SIGReg, compute_loss
from soma_models.v1.tokenizer import tokenize
from soma_sdk import Keypair, SomaClient

STEPS = int(os.environ.get("STEPS", "4"))
FOLDER = Path(sys.argv[1])
STATE = FOLDER / "state.json"
FILES = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = FILES.get(self.path, b"")
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def train():
    rngs = nnx.Rngs(0)
    config = ModelConfig(
        dropout_rate=0.1, embedding_dim=16, pwff_hidden_dim=32, num_layers=2, num_heads=4
    )
    model = Model(config, rngs)
    sig_reg = SIGReg(SIGRegConfig(), rngs)
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    model.train()

    @nnx.jit
    def step(model, sig_reg, optimizer, token_ids, targets):
        def loss_fn(model, sig_reg):
            return compute_loss(model, sig_reg, token_ids=token_ids, targets=targets)

        (loss, embedding), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model, sig_reg)
        optimizer.update(model, grads)
        return loss, embedding

    sequences = tokenize(Path(__file__).read_bytes() * 2)
    token_ids = jnp.array([s.token_ids for s in sequences])
    targets = jnp.array([s.targets for s in sequences])
    for number in range(STEPS):
        loss, embedding = step(model, sig_reg, optimizer, token_ids, targets)
        print(f"step {number}: loss {float(loss):.4f}", flush=True)
    model.eval()
    path = FOLDER / f"checkpoint-{STEPS}.safetensors"
    model.save(path)
    return path.read_bytes(), [float(x) for x in embedding]


async def main():
    keypair = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    client = await SomaClient(chain="localnet")
    base = serve()

    weights, embedding = train()
    encrypted, decryption_key = SomaClient.encrypt_weights(weights)
    FILES["/weights"] = encrypted
    model_id = await client.create_model(keypair, commission_rate=1000)
    epoch = (await client.get_latest_system_state()).epoch
    await client.commit_model(
        keypair, model_id, f"{base}/weights", encrypted, decryption_key, embedding
    )
    STATE.write_text(
        json.dumps(
            {
                "model_id": model_id,
                "commit_epoch": epoch,
                "decryption_key": decryption_key,
                "embedding": embedding,
            }
        )
    )
    print(f"Committed {model_id} in epoch {epoch}")

    await client.advance_epoch()
    state = json.loads(STATE.read_text())
    if (await client.get_latest_system_state()).epoch > state["commit_epoch"]:
        await client.reveal_model(
            keypair, state["model_id"], state["decryption_key"], state["embedding"]
        )
        print("Revealed")

    # What the network says of the model is what this package says of it.
    data = Path(__file__).read_bytes()[:3000]
    FILES["/data"] = data
    manifests = await client.get_model_manifests([model_id])
    result = await client.score(f"{base}/data", manifests, embedding, data)
    print(f"Loss {result.loss_score[0]:.4f}, distance {result.distance[0]:.4f}")


asyncio.run(main())
