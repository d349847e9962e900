"""Describe the models of the method that the settings choose; a plan needs no more, so nothing large is loaded."""

from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.options.settings import MethodSettings


def identify_method(settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the models of the method for images of a contrast, without loading them."""
    if settings.profile == "sct":
        from bids_deepseg.methods.alternatives import identify_sct  # noqa: PLC0415 - loads scipy

        return identify_sct(settings, contrast)
    if settings.method == "propseg":
        from bids_deepseg.methods.propseg.method import identify_propseg  # noqa: PLC0415 - loads scipy

        return identify_propseg(settings)
    from bids_deepseg.methods.models import identify_models  # noqa: PLC0415 - the other branches do without

    return identify_models(settings, contrast)
