"""Write what the image consists of: a bill of materials (CycloneDX) and a table of licences.

``python inventory.py FOLDER``, as the last step of the image's build, with the Python of the environment. It reads the
metadata of the packages of Python, Debian's list of packages, and the cards of the networks, and ends with an error if
the text of a licence is not in the image. The same parts give the same bytes.
"""

import json
import platform
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from importlib.resources import files
from pathlib import Path

_DOC = Path("/usr/share/doc")
_DPKG = Path("/var/lib/dpkg/status")

#: Texts for packages whose wheels name a licence and do not carry its text.
_COMMON = {"Apache-2.0": Path("/usr/share/common-licenses/Apache-2.0")}

#: Words that old metadata use for a licence that SPDX calls otherwise.
_SPDX = (
    (r"apache.*2|apache$|apache software", "Apache-2.0"),
    (r"^(the )?mit( license)?$", "MIT"),
    (r"mozilla.*2\.0|mpl.*2\.0", "MPL-2.0"),
    (r"^(new |modified )?(3-clause )?bsd([ -]3-clause)?( license)?$|bsd 3-clause|revised bsd", "BSD-3-Clause"),
    (r"python software foundation|^psf", "PSF-2.0"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the image."""

    kind: str
    name: str
    version: str
    purl: str
    licence: str
    texts: tuple[Path, ...]
    sha256: str = ""

    def component(self) -> dict[str, object]:
        """Return the part as a component of CycloneDX."""
        component: dict[str, object] = {"type": self.kind, "name": self.name, "version": self.version}
        if self.purl:
            component |= {"bom-ref": self.purl, "purl": self.purl}
        else:
            component["bom-ref"] = f"{self.kind}:{self.name}"
        if self.sha256:
            component["hashes"] = [{"alg": "SHA-256", "content": self.sha256}]
        if re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", self.licence):
            component["licenses"] = [{"expression": self.licence}]
        elif self.licence:
            component["licenses"] = [{"license": {"name": self.licence}}]
        component["properties"] = [{"name": "bids_deepseg:licence_text", "value": str(text)} for text in self.texts]
        return component


def python_parts() -> Iterator[Part]:
    """Yield Python and its packages."""
    stdlib = Path(json.__file__).parents[1]
    text = next((path for path in (stdlib / "LICENSE.txt", *_DOC.glob("python3*/copyright")) if path.is_file()), None)
    yield Part("platform", "python", platform.python_version(), "", "PSF-2.0", (text,) if text else ())
    for package in distributions():
        name, licence = package.metadata["Name"], licence_of(package)
        texts = tuple(
            sorted(Path(str(package.locate_file(file))) for file in package.files or () if is_text(file.parts))
        )
        # Metadata name files that were left out of the image.
        texts = tuple(text for text in texts if text.is_file()) or tuple(
            filter(Path.is_file, [_COMMON.get(licence, _DOC / "none")])
        )
        canonical = re.sub(r"[-_.]+", "-", name).lower()
        yield Part("library", name, package.version, f"pkg:pypi/{canonical}@{package.version}", licence, texts)


def is_text(parts: tuple[str, ...]) -> bool:
    """Return whether a file in the metadata of a package is the text of a licence."""
    return parts[0].endswith(".dist-info") and (
        "licenses" in parts or parts[-1].upper().startswith(("LICEN", "COPYING"))
    )


def licence_of(package: Distribution) -> str:
    """Return the licence that a package states, by the name of SPDX where that is clear."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [each for each in metadata.get_all("Classifier") or () if each.startswith("License ::")]
    words = [
        (metadata.get("License") or "").strip().split("\n")[0],
        *(each.rpartition(":: ")[2] for each in classifiers),
    ]
    for pattern, name in _SPDX:
        if any(re.search(pattern, word, re.IGNORECASE) for word in words):
            return name
    return next((word for word in words if word), "see its text")


def debian_parts() -> Iterator[Part]:
    """Yield the packages of Debian."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    for paragraph in _DPKG.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") != "install ok installed":
            continue
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        text = _DOC / name / "copyright"
        named: list[str] = []
        if text.is_file():
            named = sorted(
                set(re.findall(r"^License: *([A-Za-z][\w.+ -]{1,40})$", text.read_text(errors="replace"), re.MULTILINE))
            )
        quoted = version.replace(":", "%3A").replace("+", "%2B")
        purl = f"pkg:deb/debian/{name}@{quoted}?arch={architecture}&distro={codename}"
        yield Part(
            "library", name, version, purl, ", ".join(named) or "see its text", (text,) if text.is_file() else ()
        )


def network_parts() -> Iterator[Part]:
    """Yield the networks that come with the package, which its licence covers."""
    app = next(part for part in python_parts() if part.name == "bids_deepseg")
    for card in sorted(Path(str(files("bids_deepseg.networks"))).glob("weights/*.json")):
        known = json.loads(card.read_text(encoding="utf-8"))
        kind = "machine-learning-model"
        yield Part(kind, known["name"], app.version, "", app.licence, app.texts, known["sha256"])


def bill(parts: list[Part]) -> dict[str, object]:
    """Return the bill of materials."""
    app = next(part for part in parts if part.name == "bids_deepseg")
    components = [part.component() for part in parts if part is not app]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components))
    whole = {"type": "container", "name": app.name, "version": app.version, "bom-ref": "image"}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": whole | {"components": [app.component()]}},
        "components": components,
    }


def main(folder: Path) -> int:
    """Write both files; return 1 if the text of a licence is missing."""
    parts = sorted(
        [*python_parts(), *debian_parts(), *network_parts()], key=lambda part: (part.kind, part.purl, part.name)
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(json.dumps(bill(parts), indent=1) + "\n")
    rows = ["name\tversion\tlicence\ttext"]
    rows += [f"{part.name}\t{part.version}\t{part.licence}\t{' '.join(map(str, part.texts))}" for part in parts]
    (folder / "licences.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    bare = [f"{part.name} {part.version}" for part in parts if not part.texts]
    for name in bare:
        sys.stderr.write(f"inventory: the text of the licence of {name} is not in the image\n")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
