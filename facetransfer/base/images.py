"""Pictures in and out: the only place where files, PIL pictures and tensors are turned into each other."""

from __future__ import annotations

import errno
import glob
import io
import json
import math
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from facetransfer.base.errors import DiskFullError, InputError, shortened

MAX_PIXELS = 64_000_000  # of a file; more is refused before a pixel is decoded
WORKED_PIXELS = 4096 * 4096  # that are worked on at once
LEFT = 600  # seconds after which nobody is still writing a file
MIN_SIDE = 32  # pixels; conv4_1 must keep a 3x3 window
MAX_DECODED_BYTES = 200_000_000  # of a picture as it lies in the file, whatever its file takes
FORMATS = ["AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
with suppress(ImportError):  # phones' own format; the program works without
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS.append("HEIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")  # that a result may be written as

ALPHA = "face transfer alpha"  # in a picture's info: how opaque its file is, (H,W) of mode L

_SRGB = ImageCms.createProfile("sRGB")
_DATE = slice(24, 36)  # bytes of a profile in which the time stands at which it was made


def _srgb_profile() -> bytes:
    """sRGB as an ICC profile, the same bytes each time."""
    profile = bytearray(ImageCms.ImageCmsProfile(_SRGB).tobytes())
    profile[_DATE] = bytes((7, 208, 0, 1, 0, 1)) + bytes(6)  # 1 January 2000
    return bytes(profile)


_SRGB_PROFILE = _srgb_profile()

# What Pillow has to remark on a spoilt file is said by us, in one line, or does not matter.
for remark in (UserWarning, Image.DecompressionBombWarning):
    warnings.filterwarnings("ignore", category=remark, module=r"PIL\.")


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """Any picture file as RGB in sRGB, turned as its EXIF says; first frame of an animation, on white where
    it is transparent.

    Raises InputError when the file is missing, not a picture, cut off, or larger than MAX_PIXELS.
    """
    path = readable_file(path)
    Image.init()  # formats other than the common five are not known before
    try:
        with (
            open(path, "rb") as file,
            Image.open(file, formats=tuple(FORMATS)) as picture,
        ):  # opened here: Pillow leaves it open where it cannot read it
            return as_rgb(picture)
    except InputError as error:
        raise InputError(f"{path.name} {error}") from None
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise InputError(
            f"{path.name} is not a picture that can be read: give a PNG, JPEG, WebP, AVIF, TIFF or BMP file "
            f"of at most {MAX_PIXELS // 10**6} million pixels"
        ) from None
    except MemoryError:
        raise InputError(f"{path.name} needs more memory than there is here: make it smaller first") from None
    # what a decoder says of a spoilt file is written nowhere, and differs between versions of Pillow
    except Exception as error:
        raise InputError(
            f"{path.name} is damaged or cut off ({shortened(str(error))}): save it again or give another file"
        ) from None


def open_no_other_formats() -> None:
    """From now on Pillow opens FORMATS alone in this process, whoever asks it, and nothing large.

    It knows formats that run programs (PostScript by Ghostscript) or that nobody needs here; pictures that a
    server is sent may come to it by other ways than `open_picture`.
    """
    Image.init()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns from there on and refuses twice as many.
    for name in [name for name in Image.ID if name not in FORMATS]:
        Image.ID.remove(name)
        Image.OPEN.pop(name, None)


def readable_file(path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be read; InputError for what is missing, a folder, a device or a pipe, or
    not ours to read.
    """
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist: check the name") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{shortened(str(path))} cannot be a file ({getattr(error, 'strerror', None) or error}): check "
            f"the name"
        ) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder: give a picture file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a device or a pipe: give a picture file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read: change its rights or give another file")
    return path


def as_rgb(picture: Image.Image) -> Image.Image:
    """A PIL picture of any mode as RGB. Raises InputError when it is too large."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"has {width}x{height} pixels: at most {MAX_PIXELS // 10**6} million are taken, make it "
            f"smaller first"
        )
    if (size := width * height * _bytes_per_pixel(picture.mode)) > MAX_DECODED_BYTES:
        raise InputError(
            f"takes {size / 1e6:.0f} MB when it is opened: at most {MAX_DECODED_BYTES // 10**6} are taken, "
            f"make it smaller first"
        )
    if getattr(picture, "is_animated", False):
        picture.seek(0)
    picture.load()
    picture = ImageOps.exif_transpose(_in_srgb(picture))
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _with_eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = on_white(picture)
        if alpha.getextrema() != (255, 255):
            picture.info[ALPHA] = alpha
    return picture.convert("RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """An RGBA picture as RGB, on white where it is transparent."""
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def with_alpha_of(result: Image.Image, source: Image.Image) -> Image.Image:
    """The result, as RGBA and as transparent as the file was that the source was opened from; unchanged where
    that was opaque.
    """
    alpha = source.info.get(ALPHA)
    if alpha is None:
        return result
    result = result.convert("RGB")
    result.putalpha(
        alpha if alpha.size == result.size else alpha.resize(result.size, Image.Resampling.BICUBIC)
    )
    return result


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture with the colours that its ICC profile means, in sRGB; as it is without a usable profile.

    What is transparent stays so.
    """
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(picture, meant, _SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError):  # a spoilt profile, or one for other pictures
        return picture
    return converted or picture


def _bytes_per_pixel(mode: str) -> int:
    """What a pixel of a Pillow mode takes in memory: 4 where the mode is none of the usual ones."""
    return 2 if mode.startswith("I;16") else {"1": 1, "L": 1, "P": 1, "RGB": 3}.get(mode, 4)


def _with_eight_bits(picture: Image.Image) -> Image.Image:
    """A gray picture of more bits (modes I, F, I;16) as L, row by row, so that it is not held twice.

    Sixteen bits are scaled as such; other depths by what is there, since their range is nowhere written.
    """
    width, height = picture.size
    rows = max(1, (1 << 22) // width)

    def strip(top: int) -> np.ndarray:
        part = picture.crop((0, top, width, min(height, top + rows)))
        return np.nan_to_num(np.asarray(part, dtype=np.float32))

    most = max(float(strip(top).max()) for top in range(0, height, rows))
    scale = 255 / (65535.0 if picture.mode != "F" and most <= 65535 else max(most, 1e-9))
    gray = np.empty((height, width), np.uint8)
    for top in range(0, height, rows):
        gray[top : top + rows] = (strip(top) * scale).clip(0, 255)
    return Image.fromarray(gray)


def fitted_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(width, height) scaled so that the longest side is `longest` pixels (0: unchanged)."""
    if not longest:
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def fit(picture: Image.Image, longest: int) -> Image.Image:
    """The picture with its longest side at `longest` pixels (0: unchanged). Raises InputError if a side gets
    too short, or both too long.
    """
    size = check_workable(fitted_size(picture.size, longest))
    if min(size) < MIN_SIDE:
        raise InputError(
            f"a picture of {picture.width}x{picture.height} pixels is {size[0]}x{size[1]} at this size: "
            f"each side "
            f"must keep at least {MIN_SIDE}, so choose a larger size or a less narrow picture"
        )
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def check_workable(size: tuple[int, int]) -> tuple[int, int]:
    """The (width, height); InputError where that is more than can be worked on."""
    if size[0] * size[1] > WORKED_PIXELS:
        raise InputError(
            f"{size[0]}x{size[1]} pixels are more than the {WORKED_PIXELS / 1e6:.1f} million that can be "
            f"worked on: give a size of at most 4096"
        )
    return size


def to_tensor(picture: Image.Image) -> Any:
    """RGB picture to a tensor (1,3,H,W), float32 in [0,1]."""
    import torch

    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float().div_(255)


def to_image(tensor: Any) -> Image.Image:
    """A tensor (1,3,H,W) in [0,1] to an RGB picture."""
    pixels = tensor.detach()[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.cpu().contiguous().numpy())


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """The path if a file with one of these endings (none: any) can be written there; InputError otherwise.
    Nothing is left there, or removed.
    """
    path = Path(path)
    try:
        os.stat(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # too long, a loop of links, a character that no name has
        raise InputError(
            f"{shortened(str(path))} cannot be a file ({getattr(error, 'strerror', None) or error}): "
            f"choose another name"
        ) from None
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(
            f"{path.name} has no ending that is known: end the output with one of {' '.join(suffixes)}"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist: make it first or choose another")
    try:
        with tempfile.TemporaryFile(
            dir=path.parent
        ):  # without a name, and gone at once: rights alone do not tell of a full disk or a read-only one
            pass
    except OSError as error:
        raise InputError(
            f"the folder {path.parent} cannot be written to ({error.strerror or error}): choose another"
        ) from None
    return path


def make_folder(folder: Path) -> None:
    """Makes a folder for results unless it is there; InputError where that cannot be."""
    try:
        folder.mkdir(exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the folder {folder} could not be made ({getattr(error, 'strerror', None) or error}): choose "
            f"another"
        ) from None


def save_picture(picture: Image.Image, path: str | os.PathLike[str], **options: Any) -> None:
    """Writes the whole picture; an old file stays intact until the new one is whole.

    A picture in colours says that they are sRGB. Transparency is kept in PNG, WebP and TIFF, and is white in
    the other formats.
    """
    path = check_writable(path)
    kind = Image.registered_extensions()[path.suffix.lower()]
    if picture.mode == "RGBA" and kind in ("JPEG", "BMP"):
        picture = on_white(picture)
    if picture.mode in ("RGB", "RGBA"):
        if kind == "PNG":
            chunks = PngInfo()
            chunks.chunks = list(getattr(options.get("pnginfo"), "chunks", []))
            chunks.add(b"sRGB", b"\0")
            options["pnginfo"] = chunks
        elif kind != "BMP":
            options.setdefault("icc_profile", _SRGB_PROFILE)
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        picture.save(file, format=kind, **options)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes the whole text, as `save_picture` does."""
    with written_whole(Path(path)) as temporary:
        Path(temporary).write_text(text, "utf-8")


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Writes values as JSON, whole, as `save_picture` does."""
    write_text(path, as_json(values) + "\n")


def as_json(values: Any, indent: int | None = 1) -> str:
    """Values as JSON that every reader takes: what is no finite number is null. Without an indent it is one
    line.
    """

    def strict(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(name): strict(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [strict(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(strict(values), indent=indent, allow_nan=False)


@contextmanager
def written_whole(path: Path) -> Iterator[str]:
    """A name beside `path` to write to; moved there at the end, removed on an error. InputError where it
    cannot be written.

    Where `path` is a link, the file that it names is written; an old file's rights stay. What a killed
    process left of the same result LEFT seconds ago is removed on the way.
    """
    path = Path(os.path.realpath(path))
    prefix, suffix = f".{path.stem[:40]}-", f".part{path.suffix}"
    try:
        for left in path.parent.glob(f"{glob.escape(prefix)}????????{glob.escape(suffix)}"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > LEFT:
                    left.unlink()
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
        os.close(handle)
    except OSError as error:
        raise not_written(path, error) from None
    try:
        yield temporary
        # mkstemp makes the file private; a result has the rights of the old one, or of any new file.
        mask = os.umask(0)
        os.umask(mask)
        rights = stat.S_IMODE(os.stat(path).st_mode) if path.exists() else 0o666 & ~mask
        os.chmod(temporary, rights)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise not_written(path, error) from None
        raise


def not_written(path: Path, error: OSError) -> InputError:
    """The error of a file that could not be written; a DiskFullError where that is the reason."""
    kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else InputError
    return kind(f"{path} could not be written ({error.strerror or error}): choose another place")
