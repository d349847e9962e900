"""Judge a mask by measurements alone: the networks' probability, the image, the mask's shape and place.

>>> judgement = judge_evidence(Evidence(image, mask, probability, centerline, metrics))
>>> judgement.verdict, judgement.score
"""

from bids_deepseg.judge.evidence import Evidence
from bids_deepseg.judge.judging import Judgement, judge_doubts, judge_evidence, judge_kernels

__all__ = ["Evidence", "Judgement", "judge_doubts", "judge_evidence", "judge_kernels"]
