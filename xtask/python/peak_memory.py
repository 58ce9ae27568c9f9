"""Runs a command and then prints `peak_bytes N`: the most memory that it had at a time.

The command has this process's input and output.
"""

import resource
import subprocess
import sys

code = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
# Linux counts in KiB, macOS in bytes.
print("peak_bytes", peak if sys.platform == "darwin" else peak * 1024, flush=True)
sys.exit(code)
