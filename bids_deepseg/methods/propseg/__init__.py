"""Segment the cord with a deformable tube: PropSeg, after De Leener et al. (2014) and a description of the tool.

``segment.py`` shows the order of the steps; read it first. Sections in brackets, [5.4] for example, are those of the
description of the reference method; ``docs/propseg.md`` says what was changed and why.
"""
