"""Scores data and weights that lie in an S3-compatible store."""

import asyncio
import os
import sys
import uuid

import boto3
from soma_sdk import SomaClient

S3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT_URL"],
    aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"],
    region_name="us-east-1",
)


def upload(content: bytes) -> str:
    bucket, name = os.environ["S3_BUCKET"], f"{uuid.uuid4()}.bin"
    S3.put_object(Bucket=bucket, Key=name, Body=content)
    return f"{os.environ['S3_ENDPOINT_URL']}/{bucket}/{name}"


async def main():
    client = await SomaClient(chain="localnet")
    manifests = []
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            encrypted, key = SomaClient.encrypt_weights(file.read())
        manifests.append(
            SomaClient.model_manifest(
                url=upload(encrypted), encrypted_weights=encrypted, decryption_key=key
            )
        )
    data = b"It was a bright cold day in April, and the clocks were striking thirteen. " * 10
    data_url = upload(data)
    dim = await client.get_embedding_dim()
    result = await client.score(
        data_url=data_url,
        models=manifests,
        target_embedding=[1.0] + [0.0] * (dim - 1),
        data=data,
    )
    print(f"Winner: {result.winner}")
    print(f"Loss: {result.loss_score[0]:.4f}")
    print(f"Distance: {result.distance[0]:.4f}")
    print(f"Embedding: {len(result.embedding)}")
    again = await client.score(
        data_url,
        manifests,
        [1.0] + [0.0] * (dim - 1),
        None,
        SomaClient.commitment(data),
        len(data),
    )
    print(f"Same: {abs(again.distance - result.distance) < 1e-5}")


asyncio.run(main())
