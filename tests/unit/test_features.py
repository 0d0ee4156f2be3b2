"""Feature networks: one layout, three sets of weights."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from facetransfer import InputError
from facetransfer.base import weights
from facetransfer.core.features import LAYERS, load_network, stride_of
from facetransfer.core.features.vgg19 import CONVS, WIDTHS, from_torchvision


@pytest.mark.parametrize("name, width", [("compact", 16)])  # of the first block
def test_layers_have_their_sizes(name: str, width: int) -> None:
    found = load_network(name)(torch.rand(1, 3, 50, 37), LAYERS)
    for layer in LAYERS:
        s = stride_of(layer)
        assert found[layer].shape == (1, width * s, -(-50 // s), -(-37 // s)) and (found[layer] >= 0).all()


def test_a_flat_picture_has_flat_features_to_the_rim() -> None:
    """Replicated borders: no frame."""
    for features in load_network("compact")(torch.full((1, 3, 48, 48), 0.4), LAYERS).values():
        assert (features - features[..., :1, :1]).abs().max() < 1e-4


def test_networks_are_frozen_and_shared() -> None:
    assert load_network("compact") is load_network("compact")
    assert not any(p.requires_grad for p in load_network("compact").parameters())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="resnet"):
        load_network("resnet")
    with pytest.raises(ValueError, match="5_1"):
        load_network("compact")(torch.rand(1, 3, 32, 32), ["5_1"])


def vgg_state() -> dict[str, torch.Tensor]:
    """A state dict of torchvision's shapes, as far as conv4_2, with small weights."""
    generator, state, inputs = torch.Generator().manual_seed(0), {}, 3
    for name, i in zip(LAYERS, CONVS):
        outputs = WIDTHS[int(name[0]) - 1]
        state[f"features.{i}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) / (
            3 * inputs**0.5
        )
        state[f"features.{i}.bias"] = torch.zeros(outputs)
        inputs = outputs
    return state


def test_vgg19_takes_torchvision_s_weights() -> None:
    """The places of the convolutions are those of torchvision's own VGG-19, and each lands in its layer."""
    from torchvision.models import vgg19

    with torch.device("meta"):  # its places alone, without half a gigabyte of weights
        places = vgg19(weights=None).features
    convs = [i for i, m in enumerate(places) if isinstance(m, torch.nn.Conv2d)]
    assert tuple(convs[:10]) == CONVS
    state = vgg_state()
    network = from_torchvision(state)
    assert torch.equal(network.convs["4_2"].weight, state["features.21.weight"])
    assert network(torch.rand(1, 3, 32, 32), ["4_2"])["4_2"].shape == (1, 512, 4, 4)


def test_vgg19_without_its_package_is_a_worded_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(InputError, match="needs the package torchvision.*choose the network compact"):
        load_network("vgg19", "cpu")


def test_vgg19_without_a_network_is_a_worded_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded.*choose the network compact") as refused:
        load_network("vgg19")
    assert str(tmp_path) not in str(refused.value) and "<" not in str(refused.value)  # a visitor reads it too


@pytest.mark.parametrize("name", ["texture", "parser"])
def test_weights_are_those_of_their_certificate(name: str) -> None:
    facts = weights.certificate(name)
    data = (weights.FOLDER / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == facts["sha256"] and len(data) == facts["bytes"]
    assert {"command", "data", "licence", "date", "measured"} <= facts.keys()
    assert (weights.FOLDER / f"{name}.md").exists()


def test_weights_together_are_small() -> None:
    assert sum(p.stat().st_size for p in weights.FOLDER.glob("*.safetensors")) <= 12e6


def test_damaged_or_missing_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray((weights.FOLDER / "texture.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "texture.safetensors").write_bytes(data)
    (tmp_path / "texture.json").write_text(json.dumps(weights.certificate("texture")))
    (tmp_path / "gone.json").write_text(json.dumps({"sha256": "0"}))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    for name, words in (("texture", "damaged"), ("gone", "cannot be read"), ("none", "certificate")):
        with pytest.raises(InputError, match=words):
            weights.load_weights(name)
