"""The reference method as it runs (``--profile sct``): one result per file, its numbers and order, not its code.

Sections in brackets, [1.4] for example, are those of the description of the reference method that this package was
written from; ``docs/sct-profile.md`` repeats what matters. "Quirks" are its known faults: in the mode ``fixed`` those
that only do harm are mended, in the mode ``all`` none is.

``segment.py`` shows the order of the steps; read it first.
"""
