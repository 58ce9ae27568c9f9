"""One whole round: a model is published, data is found for a target, submitted and paid."""

import asyncio
import http.server
import os
import random
import sys
import threading

from soma_sdk import Keypair, SomaClient

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


async def main():
    base = serve()
    client = await SomaClient(chain="localnet")
    rich = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    trainer, submitter = Keypair.generate(), Keypair.generate()
    for keypair in (trainer, submitter):
        await client.transfer_coin(rich, keypair.address(), 50.0)

    # Create and commit.
    with open(sys.argv[1], "rb") as file:
        weights = file.read()
    encrypted, decryption_key = SomaClient.encrypt_weights(weights)
    FILES["/weights"] = encrypted
    weights_url = f"{base}/weights"
    dim = await client.get_embedding_dim()
    embedding = [random.gauss(0, 1) for _ in range(dim)]
    model_id = await client.create_model(trainer, commission_rate=1000)
    print(f"Created {model_id}")
    await client.commit_model(
        signer=trainer,
        model_id=model_id,
        weights_url=weights_url,
        encrypted_weights=encrypted,
        decryption_key=decryption_key,
        embedding=embedding,
    )
    print("Committed")

    # Reveal in the next epoch.
    epoch = await client.advance_epoch()
    print(f"Epoch {epoch}")
    await client.reveal_model(trainer, model_id, decryption_key, embedding)
    print("Revealed")

    # Targets need a block to be drawn.
    targets = []
    while not targets:
        targets = await client.get_targets(status="open", limit=20)
        await asyncio.sleep(0.2)
    print(f"Targets: {len(targets)}")

    # Look for data until some lies near enough.
    submitted = None
    for attempt in range(300):
        target = random.choice(targets)
        data = bytes(random.randrange(32, 127) for _ in range(random.randrange(200, 2000)))
        FILES[f"/{attempt}"] = data
        data_url = f"{base}/{attempt}"
        manifests = await client.get_model_manifests(target)
        result = await client.score(
            data_url=data_url,
            models=manifests,
            target_embedding=target.embedding,
            data=data,
        )
        if result.distance[0] > target.distance_threshold:
            continue
        await client.submit_data(
            signer=submitter,
            target_id=target.id,
            data=data,
            data_url=data_url,
            model_id=target.model_ids[result.winner],
            embedding=result.embedding,
            distance_score=result.distance[0],
            loss_score=result.loss_score,
        )
        submitted = target
        print(f"Submitted after {attempt + 1} tries")
        break

    for _ in range(2):
        epoch = await client.advance_epoch()
        print(f"Epoch {epoch}")
    before = await client.get_balance(submitter.address())
    await client.claim_rewards(submitter, submitted.id)
    after = await client.get_balance(submitter.address())
    print(f"Earned {after - before:.4f} SOMA")


asyncio.run(main())
