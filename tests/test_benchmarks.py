"""The benchmarks compare with what they say they compare with."""
from __future__ import annotations

import torch

from benchmarks.published import PublishedLoss
from facetransfer import to_tensor
from facetransfer.features import load_network
from segmentation.guidance import guide_of


def test_the_published_loss_of_a_picture_against_itself_is_its_roughness(face) -> None:
    picture, guide = to_tensor(face[0]), guide_of(face[1])
    loss = PublishedLoss(load_network("seeded"), picture, picture, (guide, guide))
    from facetransfer.losses import smoothness_loss

    torch.testing.assert_close(loss(picture), smoothness_loss(picture))
    other = picture.flip(3).requires_grad_()
    assert loss(other) > loss(picture) + 0.1 and torch.autograd.grad(loss(other), other)[0].abs().sum() > 0
