from __future__ import annotations

import math

import pytest

from facetransfer import InputError, TransferSettings
from facetransfer.base.settings import PRESETS, all_settings


@pytest.mark.parametrize(
    "given, words",
    [
        ({"content_weight": -1.0}, "content weight is -1: give a number from 0 to 1000"),
        ({"style_weight": math.nan}, "not a number"),
        ({"smoothness": math.inf}, "not a number"),
        ({"phases": 2.5}, "whole number from 1 to 6"),
        ({"phases": 0}, "from 1 to 6"),
        ({"iterations": "many"}, "not a number"),
        ({"iterations": None}, "iterations is empty"),
        ({"network": "alexnet"}, "choose one of compact"),
        ({"seed": True}, "not a number"),
        ({"content_weight": 0.0, "style_weight": 0.0}, "both 0"),
        ({"size": 5000}, "from 0 to 4096"),
    ],
)
def test_wrong_values_name_value_limit_and_remedy(given: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TransferSettings(**given)


def test_every_setting_can_be_shown() -> None:
    for s in all_settings():
        assert s.label and s.help.endswith(".") or s.help.endswith(").")
        assert s.choices or s.minimum <= s.default <= s.maximum
    assert all(TransferSettings(**values) for values in PRESETS.values())
