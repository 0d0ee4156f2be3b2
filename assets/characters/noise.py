"""Procedural noise on points. `p` is always a (3, N) float32 tensor; every function gives (N,)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_LATTICE = (73856093, 19349663, 83492791)  # large primes that decorrelate the three axes


def lattice_hash(ix: Tensor, iy: Tensor, iz: Tensor, seed: int) -> Tensor:
    """Hash of integer lattice cells: int32 (N,) in, well mixed int32 (N,) out."""
    h = (ix * _LATTICE[0]) ^ (iy * _LATTICE[1]) ^ (iz * _LATTICE[2]) ^ (seed * 668265 & 0x7FFFFFFF)
    h = (h ^ (h >> 13)) * 1274126177
    h = (h ^ (h >> 15)) * 461845907
    return h ^ (h >> 16)


def bits_to_unit(h: Tensor, shift: int) -> Tensor:
    """Ten bits of a hash, starting at `shift`, as a float in -1..1."""
    return ((h >> shift) & 1023).float() * (2 / 1023) - 1


def stretched(p: Tensor, scale: float | Sequence[float]) -> Tensor:
    """Points scaled by one number or by one number per axis."""
    if isinstance(scale, (int, float)):
        return p * scale
    return p * p.new_tensor(scale)[:, None]


def gradient_noise(p: Tensor, seed: int = 0) -> Tensor:
    """Perlin noise, about -1..1, one feature per unit of length."""
    cell = torch.floor(p)
    fx, fy, fz = p - cell
    ix, iy, iz = cell.int()
    ux, uy, uz = (f * f * f * (f * (f * 6 - 15) + 10) for f in (fx, fy, fz))
    total = torch.zeros_like(fx)
    for dx in (0, 1):
        wx = ux if dx else 1 - ux
        for dy in (0, 1):
            wxy = wx * (uy if dy else 1 - uy)
            for dz in (0, 1):
                h = lattice_hash(ix + dx, iy + dy, iz + dz, seed)
                slope = (
                    bits_to_unit(h, 0) * (fx - dx)
                    + bits_to_unit(h, 10) * (fy - dy)
                    + bits_to_unit(h, 20) * (fz - dz)
                )
                total += slope * wxy * (uz if dz else 1 - uz)
    return total * 1.3


def fbm(p: Tensor, octaves: int, seed: int = 0, gain: float = 0.5) -> Tensor:
    """Sum of octaves of gradient noise: cloudy, about -1..1."""
    total, amplitude, norm = torch.zeros_like(p[0]), 1.0, 0.0
    for octave in range(octaves):
        total += amplitude * gradient_noise(p * 2.03**octave + 17.1 * octave, seed + octave)
        norm += amplitude
        amplitude *= gain
    return total * (1.4 / norm)


def ridged(p: Tensor, octaves: int, seed: int = 0, gain: float = 0.5) -> Tensor:
    """Sum of folded octaves: 0..1 with thin crests at 1, like creases, veins and cracks."""
    total, amplitude, norm = torch.zeros_like(p[0]), 1.0, 0.0
    for octave in range(octaves):
        n = 1 - gradient_noise(p * 2.07**octave + 9.7 * octave, seed + octave).abs().clamp(max=0.5) * 2
        total += amplitude * n * n
        norm += amplitude
        amplitude *= gain
    return total / norm


def cells(p: Tensor, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Worley noise: distance to the nearest and the second nearest of one jittered point per unit cell, and
    the nearest point's own random number in -1..1.
    """
    cell = torch.floor(p)
    fx, fy, fz = p - cell
    ix, iy, iz = cell.int()
    first = torch.full_like(fx, 9.0)
    second = torch.full_like(fx, 9.0)
    owner = torch.zeros_like(ix)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            for dz in (-1, 0, 1):
                h = lattice_hash(ix + dx, iy + dy, iz + dz, seed)
                d = (
                    (dx + 0.5 + 0.42 * bits_to_unit(h, 0) - fx) ** 2
                    + (dy + 0.5 + 0.42 * bits_to_unit(h, 10) - fy) ** 2
                    + (dz + 0.5 + 0.42 * bits_to_unit(h, 20) - fz) ** 2
                )
                nearer = d < first
                second = torch.where(nearer, first, torch.minimum(second, d))
                first = torch.where(nearer, d, first)
                owner = torch.where(nearer, h, owner)
    return first.sqrt(), second.sqrt(), bits_to_unit((owner ^ (owner >> 7)) * 1103515245, 12)


def band(x: Tensor, low: float, high: float) -> Tensor:
    """Smooth step: 0 below `low`, 1 above `high` (or the reverse when low > high)."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
