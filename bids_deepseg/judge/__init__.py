"""Judge a mask by measurements alone: the networks' probability, the image, the mask's shape and place.

>>> findings = judge_evidence(Evidence(image, mask, probability, centerline, metrics))
>>> verdict_of(findings), quality(evidence)
"""

from bids_deepseg.judge.evidence import Evidence
from bids_deepseg.judge.judging import Judgement, judge_evidence, judge_kernels

__all__ = ["Evidence", "Judgement", "judge_evidence", "judge_kernels"]
