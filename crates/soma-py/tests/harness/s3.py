"""An S3-compatible store in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path


class S3Store:
    """Whoever has the keys writes; everybody reads."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [os.environ["SOMA_TEST_S3_SERVER"], str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = json.loads(self.process.stdout.readline())

    @property
    def environment(self) -> dict[str, str]:
        """What scripts know of their store."""
        return {
            "S3_ENDPOINT_URL": self.about["endpoint"],
            "S3_BUCKET": self.about["bucket"],
            "S3_ACCESS_KEY_ID": self.about["access_key_id"],
            "S3_SECRET_ACCESS_KEY": self.about["secret_access_key"],
        }

    def stop(self) -> None:
        """Ends it: it runs as long as its input is open."""
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
