r"""Know the published networks: names, identities and what must be known to run them.

The files are not part of this package and are never redistributed by it: their authors state no licence. A file is
known by its git blob id, the SHA-1 of ``blob <size>\0`` and its content, which is what the repository of the release
names it by.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks.specs import KnownModel

#: Repository and tag of the cord networks.
RELEASE = ("sct-data/deepseg_sc_models", "r20180610")

#: What is known of the licence of every file in the table.
LICENCE = "not stated by the authors"

#: No published network is larger than 8 MB.
MAX_BYTES = 64 * 2**20

Task = Literal["detection", "segmentation", "lesion", "grey matter"]
State = Literal["present", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class PublishedSpec:
    """What is known of one published network.

    Attributes
    ----------
    name : str
        Name of the network; its file is ``<name>.h5`` unless ``filenames`` says otherwise.
    blob : str
        Git blob id of the file, 40 hex digits.
    contrast : str
        Contrast that it was trained for: t1, t2, t2_ax, t2s, dwi.
    task : str
        What its output shows: ``detection`` (cord, for the search of its centre), ``segmentation`` (cord), ``lesion``
        or ``grey matter``.
    patch_shape : tuple of int
        Pixels of a patch along i and j, and slices along k for a 3D network.
    zoom_mm : float
        Size of a patch's pixel; isotropic in 3D.
    mean, std : float or None
        The input is ``(value - mean) / std``. Cord networks expect values brought to 0..255 between the 2nd and the
        98th percentile before; lesion networks landmarks of the histogram; None: mean and std of the volume itself.
    threshold : float
        Probability above which the published method keeps a voxel.
    n_parameters : int
        Numbers in the file, those of batch normalisation included.
    filenames : tuple of str
        Names under which the file is looked for, the published one first.
    n_features : int or None
        For files that hold weights only: feature maps of the grey-matter architecture.
    in_release : bool
        Whether the file belongs to :data:`RELEASE`.
    """

    name: str
    blob: str
    contrast: str
    task: Task
    patch_shape: tuple[int, ...]
    zoom_mm: float
    mean: float | None
    std: float | None
    threshold: float
    n_parameters: int
    filenames: tuple[str, ...]
    n_features: int | None = None
    in_release: bool = True
    licence: str = LICENCE

    def find_in(self, folder: Path) -> Path | None:
        """Return the file of the network in a folder, None if there is none of its names."""
        return next((folder / name for name in self.filenames if (folder / name).is_file()), None)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """The state of one published network in a folder.

    Attributes
    ----------
    spec : PublishedSpec
        The network.
    state : str
        ``present`` (these very bytes), ``changed`` (another file of this name) or ``missing``.
    path : Path or None
        File, None if missing.
    blob : str
        Git blob id of the file that is there, empty if missing.
    reason : str
        What else is known of a file that is not the published one.
    """

    spec: PublishedSpec
    state: State
    path: Path | None = None
    blob: str = ""
    reason: str = ""

    def identity(self, threshold: float | None = None) -> KnownModel:
        """Return what is recorded of a file that is there, with the network's threshold unless another is given."""
        sha256 = hashlib.sha256(read_bounded(self.path)).hexdigest() if self.path else ""
        limit = self.spec.threshold if threshold is None else threshold
        return KnownModel(self.spec.name, self.spec.contrast, limit, sha256)


def _cord(name: str, blob: str, *, sizes: tuple[int, ...], scale: tuple[float, float], n: int) -> PublishedSpec:
    """Describe a network of the cord release; ``scale`` is (mean, std) and ``n`` the number of parameters."""
    contrast = name.partition("_")[0]
    task: Task = "detection" if name.endswith("_ctr") else "segmentation"
    # Values of the segmentation: mean of the best thresholds over 232 people, chosen by the authors in 2019.
    threshold = {"t1": 0.15, "t2": 0.7, "t2s": 0.89, "dwi": 0.01}[contrast] if task == "segmentation" else 0.5
    return PublishedSpec(name, blob, contrast, task, sizes, 0.5, *scale, threshold, n, (f"{name}.h5",))


def _lesion(name: str, blob: str, *, scale: tuple[float, float], n: int) -> PublishedSpec:
    """Describe a lesion network."""
    base = _cord("t2_sc", blob, sizes=(48, 48, 48), scale=scale, n=n)
    return replace(
        base,
        name=name,
        contrast=name.removesuffix("_lesion"),
        task="lesion",
        threshold=0.1,
        filenames=(f"{name}.h5",),
        in_release=False,
    )


def _grey_matter(kind: str, blob: str, *, n_features: int, n: int) -> PublishedSpec:
    """Describe a grey-matter network, whose mean and std are those of the volume."""
    return PublishedSpec(
        name=f"gm_{kind}",
        blob=blob,
        contrast="t2s",
        task="grey matter",
        patch_shape=(200, 200),
        zoom_mm=0.25,
        mean=None,
        std=None,
        threshold=0.999,
        n_parameters=n,
        filenames=(f"{kind}_model.hdf5", f"gm_{kind}_model.hdf5"),
        n_features=n_features,
        in_release=False,
    )


_PLAIN = (0.0, 1.0)

#: All published networks that can be told by their content.
PUBLISHED: tuple[PublishedSpec, ...] = (
    _cord("t1_ctr", "66f44b450b456bf478c57cbfd61fdf7ccd57d132", sizes=(80, 80), scale=(55.7359, 64.3149), n=347_641),
    _cord("t2_ctr", "8996bfee8cf83b344f784f8fad7b169e03fb0a2b", sizes=(80, 80), scale=(51.1417, 57.4408), n=118_033),
    _cord("t2s_ctr", "94009922d2584b372d64411fc93046a172bf8eaf", sizes=(80, 80), scale=(68.8591, 71.4659), n=39_337),
    _cord("dwi_ctr", "0ba9f4e4d34d537cd1971c3fd093db9af987302f", sizes=(80, 80), scale=(55.744, 45.003), n=29_961),
    _cord("t1_sc", "1fb92cef809e3d5c24874b5269b9d2fc1b953d3b", sizes=(64, 64), scale=_PLAIN, n=465_953),
    _cord("t2_sc", "6219445276586dae160ef372a3b0b6eedb5fc2ba", sizes=(64, 64), scale=_PLAIN, n=1_925_025),
    _cord("t2s_sc", "f207427a893c11abf7b7db00b3cec440200e5139", sizes=(64, 64), scale=_PLAIN, n=465_953),
    _cord("dwi_sc", "d350785d4a72067084c14ab16e98b49933d5e1cc", sizes=(64, 64), scale=_PLAIN, n=465_953),
    _cord(
        "t1_sc_3D", "6b0a0c52b27201134cfeedb94cb4fa4a5eb71d9f", sizes=(64, 64, 48), scale=(88.5001, 66.275), n=468_817
    ),
    _cord(
        "t2_sc_3D", "72207a6447716e68b1c8ce412faf6f6c15bb8247", sizes=(64, 64, 48), scale=(65.8562, 59.7999), n=468_817
    ),
    _cord(
        "t2s_sc_3D", "dfd7a9c34d90a35cc26ad259309567b5f78c00e6", sizes=(96, 96, 48), scale=(87.0212, 64.425), n=468_817
    ),
    _lesion("t2_ax_lesion", "ae1b766d9bb1d20ccac0a932deed7f902c67a67a", scale=(835.592, 528.386), n=208_865),
    _lesion("t2s_lesion", "6612a35a38b3fe49d38f917e83efedc8d5461699", scale=(1011.31, 678.985), n=246_929),
    _grey_matter("challenge", "fb3731ba97fee5d5262971c4d8d05d0e9db68f60", n_features=32, n=127_585),
    _grey_matter("large", "6f75010c2e20f36ac41472278848f42954d5b2a6", n_features=64, n=478_017),
)


def published_spec(name: str) -> PublishedSpec:
    """Return the description of a published network.

    Raises
    ------
    UsageError
        If no network has this name.
    """
    for spec in PUBLISHED:
        if spec.name == name:
            return spec
    names = ", ".join(spec.name for spec in PUBLISHED)
    raise UsageError(f"There is no published network {name!r}. Known: {names}.")


def git_blob_id(content: bytes) -> str:
    """Return the id by which git knows a file: the SHA-1 of its size and content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_bounded(path: Path) -> bytes:
    """Read a file of at most :data:`MAX_BYTES`.

    Raises
    ------
    NetworkError
        If it cannot be read, is not an ordinary file, or is larger.
    """
    try:
        if not path.is_file():
            raise NetworkError(f"{path} is not there or is not an ordinary file. A network file is expected.")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise NetworkError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > MAX_BYTES:
        raise NetworkError(f"{path} has more than {MAX_BYTES} bytes. The published networks have less than a fifth.")
    return content


def find_file(folder: Path, spec: PublishedSpec) -> FoundFile:
    """Look for a published network in a folder and compare its content.

    Raises
    ------
    NetworkError
        If a file of its name cannot be read.
    """
    path = spec.find_in(folder)
    if path is None:
        return FoundFile(spec, "missing")
    content = read_bounded(path)
    blob = git_blob_id(content)
    if blob == spec.blob:
        return FoundFile(spec, "present", path, blob)
    return FoundFile(spec, "changed", path, blob, _describe(content))


def find_files(folder: Path, specs: Sequence[PublishedSpec] = PUBLISHED) -> tuple[FoundFile, ...]:
    """Look for several published networks in a folder.

    Raises
    ------
    NetworkError
        If the folder is none, or a file cannot be read.
    """
    if not folder.is_dir():
        raise NetworkError(f"{folder} is not a folder. A folder with network files is expected.")
    return tuple(find_file(folder, spec) for spec in specs)


def _describe(content: bytes) -> str:
    """Say what a file is that is not the published one."""
    if content.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, whose content was not fetched"
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        return "no HDF5 file; a web page or a failed download?"
    return f"an HDF5 file of {len(content)} bytes, another release or damaged"
