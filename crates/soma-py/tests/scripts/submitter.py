"""Looks for data that hits targets, as a long-running submitter does; ends after some hits."""

import asyncio
import math
import os
import random
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
from soma_sdk import Keypair, SomaClient

HITS_WANTED = int(os.environ.get("HITS_WANTED", "3"))
REFRESH_SAMPLES = 50
MAX_BYTES = 5_000

S3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT_URL"],
    aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"],
    region_name="us-east-1",
)


class DataServer:
    """Serves the data that is being scored."""

    def __init__(self):
        outer = self
        self.data = b""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(outer.data)))
                self.end_headers()
                self.wfile.write(outer.data)

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("localhost", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return f"http://localhost:{self.server.server_port}/{uuid.uuid4()}"


def samples():
    words = "the quick brown fox jumps over a lazy dog while rain falls on cold stones".split()
    while True:
        text = " ".join(random.choice(words) for _ in range(random.randrange(20, 900)))
        yield text.encode()[:MAX_BYTES]


def cosine_distance(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    norm_a = math.sqrt(sum(x * x for x in a))
    norm_b = math.sqrt(sum(x * x for x in b))
    if norm_a == 0 or norm_b == 0:
        return 1.0
    return 1 - dot / (norm_a * norm_b)


def upload(data):
    key = f"data/{SomaClient.commitment(data)}"
    S3.put_object(Bucket=os.environ["S3_BUCKET"], Key=key, Body=data)
    return f"{os.environ['S3_ENDPOINT_URL']}/{os.environ['S3_BUCKET']}/{key}"


async def main():
    keypair = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    client = await SomaClient(chain="testnet", scoring_url=os.environ["SCORING_URL"])
    for _ in range(30):
        try:
            if await client.scoring_health():
                break
        except Exception:
            pass
        await asyncio.sleep(1)
    else:
        raise SystemExit("the scorer does not answer")

    server = DataServer()
    targets, hits, manifests = [], 0, {}
    for count, data in enumerate(samples()):
        if count > 2_000:
            raise SystemExit("nothing hits")
        if count % REFRESH_SAMPLES == 0 or not targets:
            targets = await client.get_targets(status="open")
            manifests = {}
            print(f"{len(targets)} open targets")
            if not targets:
                await asyncio.sleep(0.5)
                continue
        target = random.choice(targets)
        if target.id not in manifests:
            manifests[target.id] = await client.get_model_manifests(target)
        checksum = SomaClient.commitment(data)
        server.data = data
        result = await client.score(
            data_url=server.url(),
            models=manifests[target.id],
            target_embedding=target.embedding,
            data=data,
        )
        winner = target.model_ids[result.winner]
        near = [
            t
            for t in targets
            if winner in t.model_ids
            and t.model_ids == target.model_ids
            and cosine_distance(result.embedding, t.embedding) <= t.distance_threshold
        ]
        if not near:
            continue
        url = upload(data)
        await client.merge_coins(keypair)
        for hit in near[: HITS_WANTED - hits]:
            try:
                await client.submit_data(
                    keypair,
                    hit.id,
                    data,
                    url,
                    winner,
                    result.embedding,
                    cosine_distance(result.embedding, hit.embedding),
                    result.loss_score,
                )
                hits += 1
                print(f"Hit {hit.id} with {checksum}, loss {result.loss_score[0]:.3f}")
            except Exception as e:
                if "TargetNotOpen" in str(e):
                    print("Somebody was faster")
                else:
                    raise
        targets = []
        if hits >= HITS_WANTED:
            break
    print(f"Done: {hits} hits")


asyncio.run(main())
