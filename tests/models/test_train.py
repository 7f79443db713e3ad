"""The whole rebuild in miniature: a tiny encoder, tiny sets, one command, weights that the analyser loads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.analyse import Analyser
from models.encoder import SHIPPED
from models.heads import Heads
from models.records import Document
from tests.models.label_sets import write_label_sets

torch = pytest.importorskip("torch", reason="rebuilding weights needs PyTorch: pip install -e '.[train]'")
pytest.importorskip("onnx", reason="exporting weights needs onnx: pip install -e '.[train]'")

NOW = datetime(2026, 7, 1, tzinfo=UTC)
TEXTS = [[0, *range(100 + i, 1000 + i, 40), 2] for i in range(20)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("base")
    config = BertConfig(
        vocab_size=23703,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    shutil.copy(SHIPPED / "tokenizer.json", folder / "tokenizer.json")
    return folder


def train(base: Path, out: Path, *more: str) -> list[dict[str, object]]:
    data = out.parent / "data"
    if not data.exists():
        data.mkdir()
        write_label_sets(data)
        silver = data / "silver.jsonl"
        rows = [
            {
                "ref": f"wires:cls:{i}",
                "themes": [["game"], ["aigc"], [], ["film_tv"]][i % 4],
                "tone": ("positive", "neutral", "negative")[i % 3],
                "mentions": [{"surface": "公司甲", "field": "title", "start": 0, "tone": "positive"}],
                "split": "dev" if i % 3 else "train",
            }
            for i in range(40)
        ]
        silver.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable, "-m", "models.train", "--data", str(data), "--base", str(base), "--out", str(out),
            "--labels", str(data / "silver.jsonl"), "--layers", "2", "--epochs", "1", "--polish", "1", "--threads", "1",
            "--scale", "0.1", *more,
        ],
        capture_output=True, timeout=280, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_the_average_lies_between_what_was_and_what_became() -> None:
    from models.train.__main__ import average

    before, after = {"w": torch.tensor([0.0, 4.0]), "n": torch.tensor(1)}, {"w": torch.ones(2), "n": torch.tensor(2)}
    between = average(before, after, 0.25)
    assert between["w"].tolist() == [0.75, 1.75] and int(between["n"]) == 2


def test_one_command_gives_weights_that_read(base: Path, tmp_path: Path) -> None:
    first = train(base, tmp_path / "a")
    weights = tmp_path / "a" / "weights"
    description = json.loads((weights / "model.json").read_text())
    assert set(description["blends"]) == {"post", "news", "toward"}
    assert "memory" in description["blends"]["news"] and "memory" in description["themes"]
    with np.load(weights / "memory.npz") as stored:
        assert stored["vectors"].shape[0] == len(stored["themes"]) == len(stored["tones"]) > 5
    assert {"model", "title", "bias", "threshold"} <= set(description["themes"])
    document = Document(
        id="1", source="t", kind="wire", title="公司公告游戏上线", body="", published_at=NOW, fetched_at=NOW
    )
    (found,) = Analyser.load(str(weights), threads=1).analyse([document])
    assert found.versions.model == description["version"]

    second = train(base, tmp_path / "b")
    assert [line["loss"] for line in first if "loss" in line] == [line["loss"] for line in second if "loss" in line]
    again = train(base, tmp_path / "a")  # resumed: nothing left to fit, the same weights
    assert not [line for line in again if "loss" in line]
    assert json.loads((weights / "model.json").read_text())["version"] == description["version"]

    further = train(base, tmp_path / "c", "--start", str(weights), "--frozen", "1")
    (stage,) = [line for line in further if "stage" in line]  # no first stage
    assert stage["stage"] == "polish" and stage["examples"]["guesses"] > 0
    assert json.loads((tmp_path / "c" / "weights" / "model.json").read_text())["version"] != description["version"]


def test_a_network_is_restored_from_weights(base: Path, tmp_path: Path) -> None:
    from models.train.export import export_encoder
    from models.train.network import Network, load_encoder
    from models.train.restore import restore

    torch.manual_seed(1)
    made, found = (Network(load_encoder(base, 2), 11).eval() for _ in range(2))
    for parameter in made.encoder.encoder.parameters():  # moved by training
        parameter.data += 0.02 * torch.randn_like(parameter)
    export_encoder(made.encoder, tmp_path / "encoder.onnx", TEXTS)
    heads = {n: p.detach().numpy() for n, p in made.named_parameters() if not n.startswith("encoder.")}
    np.savez(tmp_path / "heads.npz", **heads)
    restore(found, tmp_path)
    for (name, old), new in zip(made.named_parameters(), found.parameters(), strict=True):
        assert float((old - new).norm()) <= float(old.norm()) / 100, name
    with pytest.raises(ValueError, match="--layers"):
        restore(Network(load_encoder(base, 3), 11), tmp_path)


def test_a_channel_far_larger_than_the_rest_costs_the_others_little(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime import InferenceSession

    from models.train import export
    from models.train.network import load_encoder

    encoder = load_encoder(base, 2).eval()
    for layer in encoder.encoder.layer:
        layer.attention.output.LayerNorm.weight.data[3] = 60.0
        layer.intermediate.dense.weight.data *= 10
        layer.intermediate.dense.weight.data[:, 3] /= 60  # as trained ones do: what is large there weighs little
        layer.output.dense.weight.data *= 20
    ids = np.array([TEXTS[0]], dtype=np.int64)
    with torch.inference_mode():
        exact = encoder(torch.tensor(ids), torch.ones(ids.shape, dtype=torch.long)).last_hidden_state.numpy()

    def lost() -> float:
        export.export_encoder(encoder, tmp_path / "encoder.onnx", TEXTS[1:])
        session = InferenceSession(tmp_path / "encoder.onnx", providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))

    evened = lost()
    monkeypatch.setattr(export, "smooth", lambda *_: None)
    assert evened < lost() / 2


def test_the_heads_agree_with_the_network(base: Path, tmp_path: Path) -> None:
    from models.train.network import Network, load_encoder

    torch.manual_seed(1)
    network = Network(load_encoder(base, 2), 11).eval()
    names = {n: p.detach().numpy() for n, p in network.named_parameters() if not n.startswith("encoder.")}
    np.savez(tmp_path / "heads.npz", **names)
    ids = torch.tensor([[0, 100, 200, 300, 2]])
    mask = torch.ones_like(ids)
    place, clause = torch.tensor([[0, 1.0, 0, 0, 0]]), torch.tensor([[0, 0.5, 0.5, 0, 0]])
    with torch.inference_mode():
        out = network(ids, mask, torch.tensor([0]), place, clause)
        states = network.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[0].numpy()
    found = Heads(tmp_path / "heads.npz").score(states, [([1], [1, 2])])
    assert found.themes == pytest.approx(out.themes[0].numpy(), abs=1e-4)
    assert found.target[0] == pytest.approx(out.target[0].log_softmax(-1).numpy(), abs=1e-4)
    assert found.company[0] == pytest.approx(float(out.company[0].sigmoid()), abs=1e-4)
    assert found.style == pytest.approx(out.style[0].softmax(-1).numpy(), abs=1e-4)
    assert found.tone.ravel() == pytest.approx(out.tone[0].log_softmax(-1).numpy().ravel(), abs=1e-4)
