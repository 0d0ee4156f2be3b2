"""That nothing but the CPU's own loops needs the CPU: the work on another device, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.utils.backend_registration as backends


def test_the_work_runs_on_another_device() -> None:
    if not hasattr(backends, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this version of torch cannot be told of a device")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(Path(__file__).parents[1] / "support" / "fake_device_cases.py")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRITON_INTERPRET": "1"},
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
