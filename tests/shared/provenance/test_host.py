"""Which machine it was, as far as the kernel and the driver tell."""

from __future__ import annotations

import os
import pwd
import signal
import socket

import pytest

from tidegate.attestation.statements import canonical_json
from tidegate.provenance import Gpu, HostProbe
from tidegate.provenance import host as module

SMI = """#!/bin/sh
case "$1" in
    --query-gpu=*)
        echo "NVIDIA A100-SXM4-80GB, 81920 MiB, 550.54.15"
        echo "NVIDIA T4, [N/A], 550.54.15";;
    *) echo "| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15   CUDA Version: 12.4  |";;
esac
"""


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """An `nvidia-smi` that says what it is given to say."""

    def write(text):
        program = tmp_path / "nvidia-smi"
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return write


def test_the_machine_is_told():
    host = HostProbe.start().result()
    assert host.name == socket.gethostname()
    assert host.user == pwd.getpwuid(os.geteuid()).pw_name
    assert host.processors == len(os.sched_getaffinity(0))
    assert host.memory > 1 << 28
    canonical_json(host.to_dict())


def test_cards_driver_and_cuda_are_those_that_nvidias_tool_names(smi):
    smi(SMI)
    host = HostProbe.start().result()
    assert host.gpus == (Gpu("NVIDIA A100-SXM4-80GB", 81920), Gpu("NVIDIA T4", None))
    assert (host.driver, host.cuda) == ("550.54.15", "12.4")


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\nexec sleep 60\n"])
def test_a_tool_that_fails_or_hangs_is_said_and_waited_for_no_longer(smi, monkeypatch, text):
    monkeypatch.setattr(module, "_SECONDS", 0.4)
    smi(text)
    assert HostProbe.start().result().untold == ("nvidia-smi did not answer",)


def test_the_image_is_what_the_environment_says_without_its_password(monkeypatch):
    monkeypatch.setenv("TIDEGATE_IMAGE", "https://ada:hunter2@registry/ml@sha256:1")
    assert "hunter2" not in HostProbe.start().result().image


def test_looking_takes_no_signal_from_the_main_thread(monkeypatch):
    masks = []
    monkeypatch.setattr(
        module, "_look", lambda *_, **__: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    )
    probe = HostProbe.start()
    probe._thread.join()
    assert signal.SIGTERM in masks[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
