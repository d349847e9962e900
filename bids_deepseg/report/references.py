"""List the works that the methods text cites, in one form for text and for BibTeX."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """One work.

    Attributes
    ----------
    key, kind : str
        Name of the entry and its type in BibTeX.
    short : str
        As it is cited in the text: ``Gros et al., 2019``.
    authors : tuple of str
        ``Family, Given``; the last may be ``others``.
    title : str
        Title.
    source : str
        Journal, proceedings or publisher.
    year : int or None
        None for software that is cited as a whole.
    place : str
        Volume and pages: ``184:901-915``; empty if there are none.
    doi, url : str
        Where it is found; one of them is given.
    """

    key: str
    kind: str
    short: str
    authors: tuple[str, ...]
    title: str
    source: str
    year: int | None
    place: str = ""
    doi: str = ""
    url: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """Return the fields of the BibTeX entry in their order; braces keep the capitals of the title."""
        volume, _, pages = self.place.rpartition(":")
        container = {"article": "journal", "inproceedings": "booktitle"}.get(self.kind, "publisher")
        found = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            container: self.source,
            "year": str(self.year or ""),
            "volume": volume,
            "pages": pages.replace("-", "--"),
            "doi": self.doi,
            "url": self.url,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def text(self) -> str:
        """Return the entry of a list of references."""
        names = "; ".join(self.authors).replace("; others", " et al.")
        names = f"{names} ({self.year})." if self.year else names.rstrip(".") + "."
        place = f" {self.place}." if self.place else "."
        found = f"doi:{self.doi}" if self.doi else self.url
        return f"{names} {self.title}. {self.source}{place} {found}"


def references() -> tuple[Reference, ...]:
    """Return all works, in the order of their keys."""
    return tuple(sorted((*_method(), *_formats(), *_software(), *_array_software()), key=lambda work: work.key))


def _method() -> tuple[Reference, ...]:
    """Return the works whose method is implemented."""
    return (
        Reference(
            "gros2019",
            "article",
            "Gros et al., 2019",
            ("Gros, Charley", "De Leener, Benjamin", "Badji, Atef", "others"),
            "Automatic segmentation of the spinal cord and intramedullary multiple sclerosis lesions with "
            "convolutional neural networks",
            "NeuroImage",
            2019,
            "184:901-915",
            "10.1016/j.neuroimage.2018.09.081",
        ),
        Reference(
            "gros2018",
            "article",
            "Gros et al., 2018",
            ("Gros, Charley", "De Leener, Benjamin", "Dupont, Sara M.", "others"),
            "Automatic spinal cord localization, robust to MRI contrasts using global curve optimization",
            "Medical Image Analysis",
            2018,
            "44:215-227",
            "10.1016/j.media.2017.12.001",
        ),
        Reference(
            "felzenszwalb2012",
            "article",
            "Felzenszwalb and Huttenlocher, 2012",
            ("Felzenszwalb, Pedro F.", "Huttenlocher, Daniel P."),
            "Distance transforms of sampled functions",
            "Theory of Computing",
            2012,
            "8:415-428",
            "10.4086/toc.2012.v008a019",
        ),
    )


def _formats() -> tuple[Reference, ...]:
    """Return the works on the form of data and program."""
    return (
        Reference(
            "gorgolewski2016",
            "article",
            "Gorgolewski et al., 2016",
            ("Gorgolewski, Krzysztof J.", "Auer, Tibor", "Calhoun, Vince D.", "others"),
            "The brain imaging data structure, a format for organizing and describing outputs of neuroimaging "
            "experiments",
            "Scientific Data",
            2016,
            "3:160044",
            "10.1038/sdata.2016.44",
        ),
        Reference(
            "gorgolewski2017",
            "article",
            "Gorgolewski et al., 2017",
            ("Gorgolewski, Krzysztof J.", "Alfaro-Almagro, Fidel", "Auer, Tibor", "others"),
            "BIDS apps: Improving ease of use, accessibility, and reproducibility of neuroimaging data analysis "
            "methods",
            "PLOS Computational Biology",
            2017,
            "13:e1005209",
            "10.1371/journal.pcbi.1005209",
        ),
    )


def _software() -> tuple[Reference, ...]:
    """Return the works on the libraries that compute networks."""
    return (
        Reference(
            "tensorflow",
            "inproceedings",
            "Abadi et al., 2016",
            ("Abadi, Martín", "Barham, Paul", "Chen, Jianmin", "others"),
            "TensorFlow: A system for large-scale machine learning",
            "12th USENIX Symposium on Operating Systems Design and Implementation",
            2016,
            "265-283",
            "10.48550/arXiv.1605.08695",
        ),
        Reference(
            "openvino",
            "misc",
            "OpenVINO developers",
            ("OpenVINO developers",),
            "OpenVINO toolkit",
            "docs.openvino.ai",
            None,
            url="https://docs.openvino.ai",
        ),
        Reference(
            "keras",
            "misc",
            "Chollet et al., 2015",
            ("Chollet, François", "others"),
            "Keras",
            "keras.io",
            2015,
            url="https://keras.io",
        ),
    )


def _array_software() -> tuple[Reference, ...]:
    """Return the works on the libraries for images and arrays."""
    return (
        Reference(
            "nibabel",
            "misc",
            "Brett et al.",
            ("Brett, Matthew", "Markiewicz, Christopher J.", "Hanke, Michael", "others"),
            "nipy/nibabel",
            "Zenodo",
            None,
            doi="10.5281/zenodo.591597",
        ),
        Reference(
            "numpy",
            "article",
            "Harris et al., 2020",
            ("Harris, Charles R.", "Millman, K. Jarrod", "van der Walt, Stéfan J.", "others"),
            "Array programming with NumPy",
            "Nature",
            2020,
            "585:357-362",
            "10.1038/s41586-020-2649-2",
        ),
        Reference(
            "scipy",
            "article",
            "Virtanen et al., 2020",
            ("Virtanen, Pauli", "Gommers, Ralf", "Oliphant, Travis E.", "others"),
            "SciPy 1.0: fundamental algorithms for scientific computing in Python",
            "Nature Methods",
            2020,
            "17:261-272",
            "10.1038/s41592-019-0686-2",
        ),
    )
