"""A gated server whose policy demands signatures gives out what was signed, and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from samples.model_signers import curve_key, key_files, private_pem
from samples.servers import mlflow_server

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import load_policy


@pytest.mark.slow
def test_an_unsigned_version_registers_and_is_not_given_out_until_it_is_approved_and_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = curve_key()
    key_files(tmp_path, key)
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "schema: 1\nsignatures:\n  actions: [alias, load, deploy]\n"
        "  signers: [{owner: ml-platform, key: key.pub}]\n"
    )
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.pkl").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with mlflow_server(tmp_path, database, extra={"TIDEGATE_POLICY": str(policy)}) as server:
        client = MlflowClient(server.address, server.address)
        run = client.create_run("0")
        client.log_artifacts(run.info.run_id, str(folder), "model")
        client.create_registered_model("fraud")
        source = f"{run.info.artifact_uri}/model"
        version = client.create_model_version("fraud", source, run.info.run_id)
        assert version.status == "READY", "clean, and nothing demands a signature to register"
        for attempt in (
            lambda: client.get_model_version_download_uri("fraud", "1"),
            lambda: client.set_registered_model_alias("fraud", "champion", "1"),
        ):
            with pytest.raises(RestException, match="SIGNATURE-MISSING") as caught:
                attempt()
            assert caught.value.error_code == "PERMISSION_DENIED"

        monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", private_pem(key).decode())
        with Gate(load_policy(policy), Ledger.open(database)) as gate:
            assert gate.approve("fraud/1", actor="grace", reason="looked at it").allowed
        client.get_model_version_download_uri("fraud", "1")
        client.set_registered_model_alias("fraud", "champion", "1")
