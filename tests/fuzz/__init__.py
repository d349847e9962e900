"""Fuzzing: many damaged or hostile inputs, each with a limit of time and memory; see :mod:`tests.fuzz.harness`."""
