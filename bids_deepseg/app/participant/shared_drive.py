"""Wait for what another machine has written to a drive that both share."""

import json
from pathlib import Path

from bids_deepseg.bids.derivatives.saved import read_saved
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.errors import ClusterError
from bids_deepseg.execution import Outcome
from bids_deepseg.execution.remote import DRIVE_PATIENCE_S, wait_for


def identity_of(config_hash: object, fingerprint: object) -> str:
    """Return what tells a result from an earlier one of the same image.

    Parameters
    ----------
    config_hash : str
        Of app, networks and options.
    fingerprint : mapping
        Of the source.
    """
    return json.dumps([config_hash, fingerprint], sort_keys=True, default=dict)


def await_result(output_dir: Path, outcome: Outcome, *, patience_s: float = DRIVE_PATIENCE_S) -> None:
    """Wait until this machine sees a result: the page and the tables are made from it.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    outcome : Outcome
        As another machine tells it; a failed one has nothing to wait for.
    patience_s : float, optional
        How long.

    Raises
    ------
    ClusterError
        If it does not see it within that time.
    """
    if outcome.error is not None:
        return
    image, identity = outcome.job.payload.image, outcome.product.identity
    if not wait_for(lambda: _seen(image, output_dir) == identity, patience_s):
        raise ClusterError(
            f"The result of {image.key} is complete on a worker of the cluster, but this machine does not see it in "
            f"{output_dir}. The same drive is expected on all machines. Mount it, and run the same command again."
        )


def _seen(image: BidsImage, output_dir: Path) -> str | None:
    """Return the identity of the complete result that this machine sees."""
    saved = read_saved(image, output_dir)
    if saved is None:
        return None
    return identity_of(saved.sidecar.get("ConfigHash"), saved.sidecar.get("SourceFingerprint"))
