"""What a table of measurements says about where it was made, and company for those that ask how things are on a busy machine."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import PIL
import torch
import torchvision

# Arithmetic on arrays that fit no cache: it wants a core and memory, as other people's jobs do.
BUSY = "import numpy as np\na = np.random.rand(400, 400)\nwhile True:\n    a = a @ a\n    a /= a.max()"


def described(device: str = "cpu") -> str:
    """Processor, cores, versions; one line."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    processor = found[1].strip() if found else platform.processor() or platform.machine()
    gpu = f"{torch.cuda.get_device_name(device)}, " if device.startswith("cuda") else ""
    return (
        f"{gpu}{processor}, {joblib.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}; Python {platform.python_version()}, "
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}"
    )


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Have `processes` others compute meanwhile, a thread each."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, "-c", BUSY], env=one_thread) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
