"""The map as a drawing: half-transparent over its picture, corrected with a brush that carries a class.

The server keeps the automatic map; the editor carries strokes alone. So nothing that a browser does to pixels can spoil
the map, the eraser means "back to automatic", and undo undoes strokes.
"""
from __future__ import annotations

from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image

from facetransfer.errors import InputError
from facetransfer.images import fit
from segmentation.classes import CLASSES, PALETTE
from segmentation.semantic_map import SemanticMap

OPACITY = 0.55  # of the map over its picture
STROKE = 0.85  # opacity of what is painted
SURE, HATCH = 0.6, 6  # probability below which a place is hatched; pixels between two lines
SHOWN_SIDE = 768  # longest side of a picture in the editor, pixels
BRUSH = 12  # radius in pixels
CLASS_LABELS = [c.label for c in CLASSES]


def overlay(picture: Image.Image, semantic: SemanticMap, confidence: np.ndarray | None = None) -> np.ndarray:
    """The map half-transparent over its picture, (H,W,3) uint8, no side longer than SHOWN_SIDE.

    With a confidence (H,W) in [0,1] the places where it is low are hatched.
    """
    small = fit(picture, SHOWN_SIDE) if max(picture.size) > SHOWN_SIDE else picture
    over = (np.asarray(small) * (1 - OPACITY) + semantic.resized(small.size).rgb() * OPACITY).astype(np.uint8)
    if confidence is not None:
        unsure = cv2.resize(confidence, small.size, interpolation=cv2.INTER_LINEAR) < SURE
        y, x = np.mgrid[:over.shape[0], :over.shape[1]]
        over[unsure & ((x + y) % HATCH == 0)] = 255
        over[unsure & ((x + y) % HATCH == 1)] = 0
    return over


def editor_value(picture: Image.Image, semantic: SemanticMap, confidence: np.ndarray | None = None) -> dict[str, Any]:
    """What the editor shows: the overlay, and one clear layer, with which undo starts empty."""
    background = overlay(picture, semantic, confidence)
    return {"background": background, "layers": [np.zeros((*background.shape[:2], 4), np.uint8)], "composite": None}


def corrected(semantic: SemanticMap, drawing: dict[str, Any] | None) -> SemanticMap:
    """The map with the strokes of the editor in it, each in the class of the nearest colour."""
    labels = semantic.labels
    for layer in (drawing or {}).get("layers") or []:
        painted = layer[..., 3] > 0
        if not painted.any():
            continue
        if abs(layer.shape[1] / layer.shape[0] - labels.shape[1] / labels.shape[0]) > 0.02:
            raise InputError("the drawing does not fit its picture any more: press Make maps and paint again")
        distance = np.linalg.norm(layer[painted][:, None, :3].astype(np.float32) - PALETTE[None].astype(np.float32), axis=2)
        strokes = np.full(layer.shape[:2], 255, np.uint8)
        strokes[painted] = distance.argmin(1)
        strokes = cv2.resize(strokes, labels.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        labels = np.where(strokes < 255, strokes, labels)
    return SemanticMap(labels, semantic.colours)


def brush(label: str) -> gr.Brush:
    """The brush that paints the class with this label."""
    colour = "#%02x%02x%02x" % CLASSES[CLASS_LABELS.index(label)].colour
    return gr.Brush(default_size=BRUSH, colors=[(colour, STROKE)], default_color=(colour, STROKE), color_mode="fixed")


def map_editor(label: str, name: str) -> gr.ImageEditor:
    """An empty editor. Lossless: `format` decides what the browser sends back."""
    return gr.ImageEditor(label=label, type="numpy", image_mode="RGBA", format="png", interactive=True, sources=(), transforms=(), layers=False,
                          brush=brush("Skin"), eraser=gr.Eraser(default_size=BRUSH), height=430, elem_id=name, buttons=["fullscreen"],
                          placeholder="The map appears here after an upload.")
