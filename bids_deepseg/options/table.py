"""List the options of the command line.

Each may also be written with ``_`` for every inner ``-``, and under its other names.
"""

from typing import Any

from bids_deepseg.options.declare import Option, choice, labels, place, switch, whole_number
from bids_deepseg.options.method import method_options
from bids_deepseg.options.run import CONTRASTS, DEVICES, LAYOUTS, LOG_FORMATS, REPORT_FORMATS, RERUNS


def option_table() -> tuple[Option, ...]:
    """Return all options, in the order of the help."""
    return (*_selection(), *method_options(), *_validation(), *_resources(), *_running(), *_outputs(), *_other())


def _selection() -> tuple[Option, ...]:
    """Return the options that choose images."""
    return (
        labels(
            "--participant-label",
            "--participant-labels",
            "--subject-label",
            text="participants to process, with or without sub-; a file stands for one label a line (default: all)",
        ),
        labels("--exclude-participant-label", text="participants to leave out, in the same forms"),
        labels(
            "--session-label",
            "--session-id",
            text="sessions to process, with or without ses-; images without session stay (default: all)",
        ),
        Option(
            ("--suffix",),
            "selection",
            "suffixes of the images to segment (default: T1w UNIT1 T2w T2starw T2star MEGRE PDw MTS dwi)",
            "many",
            {"metavar": "SUFFIX", "default": []},
        ),
        choice(
            "--contrast",
            choices=CONTRASTS,
            group="selection",
            text="contrast that is recorded with the results (default: auto, from the suffix)",
        ),
        Option(
            ("--volume",),
            "selection",
            "what to segment of an anatomical file with several volumes: mean, first, number of one from 0, or each "
            "(default: mean of T2starw, T2star and MEGRE, first of others)",
            settings={"metavar": "VOLUME", "default": "auto"},
        ),
        choice(
            "--on-missing",
            choices=("warn", "error"),
            group="selection",
            text="what to do about labels, suffixes and values of filters that are not there (default: warn)",
        ),
        Option(
            ("--bids-filter-file",),
            "selection",
            'JSON file that chooses images by entities: {"t2w": {"acquisition": "ax", "run": null}}',
            settings={"metavar": "FILE", "type": place},
        ),
        Option(
            ("--derivatives", "-d"),
            "selection",
            "derivative data sets with labels of the vertebral levels, which are joined to the tables",
            "many",
            {"metavar": "[NAME=]DIR", "default": []},
        ),
        Option(
            ("--bids-database-dir",),
            "selection",
            "folder of pybids' index of the data set, made if it is not there; quicker where listing folders is slow",
            settings={"metavar": "DIR", "type": place},
        ),
        switch("--reset-database", group="selection", text="make that index anew"),
    )


def _validation() -> tuple[Option, ...]:
    """Return the options about the validity of the data set."""
    return (
        choice(
            "--bids-validation",
            choices=("warn", "error", "off"),
            group="validation",
            text="what to do about an invalid data set: warn, end with code 16, or do not validate (default: warn)",
        ),
        switch(
            "--skip-bids-validation",
            "--skip-bids-validator",
            group="validation",
            text="the same as --bids-validation off",
        ),
    )


def _resources() -> tuple[Option, ...]:
    """Return the options about processors and folders."""
    number: dict[str, Any] = {"type": whole_number, "metavar": "N"}
    return (
        Option(
            ("--n-cpus", "--nprocs", "--nthreads", "--n-procs"),
            "resources",
            "processors of the whole run (default: all that it may use)",
            settings=number,
        ),
        Option(("--omp-nthreads",), "resources", "threads for one image (default: at most 2)", settings=number),
        Option(
            ("--work-dir", "-w"),
            "resources",
            "folder for temporary files, removed at the end (default: $TMPDIR, /tmp or the output folder)",
            settings={"metavar": "DIR", "type": place},
        ),
        switch("--keep-work", group="resources", text="leave the temporary files at the end"),
        switch(
            "--clean-workdir",
            group="resources",
            text="remove first what ended runs of this app left in the folder for temporary files, nothing else",
        ),
        Option(
            ("--mem", "--mem-mb"),
            "resources",
            "most memory of the run: 1.5G, 500MiB, '4 GB'; a bare number counts MB (default: what is free)",
            settings={"metavar": "SIZE"},
        ),
        Option(
            ("--mem-gb",),
            "resources",
            "the same; a bare number counts GB",
            settings={"metavar": "SIZE"},
        ),
        switch("--low-mem", group="resources", text="less memory, slower: one image and one patch at a time"),
        choice(
            "--device",
            choices=DEVICES,
            group="resources",
            text="where the networks run: cpu gives the same bytes everywhere, auto takes a GPU if there is one",
        ),
        Option(
            ("--random-seed",),
            "resources",
            "recorded in config.toml; the method draws no random numbers",
            settings=number,
        ),
    )


def _running() -> tuple[Option, ...]:
    """Return the options about what is run."""
    return (
        Option(
            ("--rerun",),
            "running",
            "images to segment: missing (no result), failed (no result, or a bad one), changed (result of another "
            "source, network, version or option), all (default: missing changed)",
            "many",
            {"choices": RERUNS, "default": []},
        ),
        switch("--stop-on-first-crash", group="running", text="begin no further image after a failure"),
        switch(
            "--dry-run",
            group="running",
            text="print what would be done with which image, and write nothing; with --log-format json as JSON",
        ),
        Option(
            ("--config-file",),
            "running",
            "TOML file with options, such as logs/*/config.toml; the command line wins",
            settings={"metavar": "FILE", "type": place},
        ),
    )


def _outputs() -> tuple[Option, ...]:
    """Return the options about what is written."""
    return (
        choice(
            "--report-format",
            choices=REPORT_FORMATS,
            group="outputs",
            text="figures inside of the pages, or as files in sub-*/figures that the pages show (default: embedded)",
        ),
        Option(
            ("--output-layout",),
            "outputs",
            "bids: tables and pages beside the images, listed in .bidsignore; strict: in docs/, and no .bidsignore "
            "(default: as it is in output_dir, else bids)",
            settings={"choices": LAYOUTS},
        ),
        switch("--no-probseg", group="outputs", text="write no map of the probability"),
        switch("--no-centerline", group="outputs", text="write no centerline"),
        Option(
            ("--dataset-link",),
            "outputs",
            "where a data set is found, for DatasetLinks: raw=doi:10.18112/openneuro.ds000001",
            "many",
            {"metavar": "NAME=URI", "default": []},
        ),
        switch("--reports-only", group="outputs", text="write pages and tables from the results that are there"),
        switch(
            "--boilerplate-only", group="outputs", text="write the methods text of the results in output_dir, no more"
        ),
        switch("--md-only-boilerplate", group="outputs", text="write the methods text as Markdown only"),
    )


def _other() -> tuple[Option, ...]:
    """Return the options about what is told."""
    return (
        switch("--verbose", "-v", group="other", text="say more; twice for everything", action="count", default=0),
        switch("--quiet", "-q", group="other", text="print warnings and the summary only"),
        choice(
            "--log-format", choices=LOG_FORMATS, group="other", text="lines for people or JSON objects (default: text)"
        ),
        switch("--no-progress", group="other", text="neither count the images nor estimate the time left"),
        switch("--debug", group="other", text="show where errors happen in the code, keep temporary files"),
        switch("--notrack", group="other", text="accepted for compatibility: nothing is ever sent anywhere"),
    )
