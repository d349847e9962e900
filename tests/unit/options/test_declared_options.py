"""Declared options: what any class of options gets from its declarations, shown on a small one."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.options.declare import GROUPS, build, check_choices, option, options_of, switch, toml_values
from bids_deepseg.options.image import ImageOptions, SegmentOptions
from bids_deepseg.options.parsing import OptionParser, arrange
from bids_deepseg.options.run import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    colour: str = field(default="red", metadata=option("--colour", group="method", choices=("red", "blue")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    place: Path = field(metadata=option("place", kind=Path, help="a word"))
    inner: Inner = field(default_factory=Inner)
    level: int = field(
        default=0,
        metadata=option("--more", "-m", group="other", count="none", repeatable=True, write=lambda level: max(0, level))
        | switch("--less", value=-1, group="other", contradicts="--more"),
    )
    names: tuple[str, ...] = field(default=(), metadata=option("--some-name", group="selection", count="many"))
    kept: bool = field(default=True, metadata=switch("--drop", value=False, group="outputs"))
    seed: int | None = field(default=None, metadata=option("--seed", group="other", kind=int, written=False))
    hidden: float = 1.0


def parse(*words):
    parser = OptionParser(Options, "program", usage="program place [options]", description="")
    return build(Options, vars(parser.parse_args(arrange(words, Options))))


def test_what_is_not_given_has_the_default_of_its_field():
    assert parse("x") == Options(place=Path("x"))


def test_values_reach_their_fields_also_in_nested_classes():
    given = parse("--some_name", "a", "b", "--drop", "--colour=blue", "-mm", "--seed", "3", "--", "x")
    expected = Options(place=Path("x"), inner=Inner(colour="blue"), level=2, names=("a", "b"), kept=False, seed=3)
    assert given == expected


def test_options_of_one_field_may_contradict_each_other():
    assert parse("x", "--less").level == -1
    with pytest.raises(UsageError, match="--less and --more contradict each other"):
        parse("x", "--less", "-m")


def test_values_for_toml_have_the_first_names_as_keys():
    values = toml_values(parse("x", "--less", "--drop", "--seed", "3", "--some-name", "a"))
    assert values == {
        "place": str(Path("x").absolute()),
        "colour": "red",
        "more": 0,
        "less": True,
        "some_name": ["a"],
        "drop": True,
    }


def test_options_stand_under_their_headings_in_the_order_of_the_headings():
    assert [each.names[0] for each in options_of(Options)] == [
        *("--some-name", "--colour", "--drop"),
        *("--more", "--less", "--seed"),
    ]


def test_only_declared_words_are_allowed():
    with pytest.raises(UsageError, match=r"--colour is 'green'\. Expected: red, blue"):
        check_choices(Inner(colour="green"))


@pytest.mark.parametrize("declared", [RunOptions, SegmentOptions])
def test_every_option_has_a_help_and_a_known_heading(declared):
    for each in options_of(declared):
        assert each.help
        assert each.group in GROUPS


@pytest.mark.parametrize("declared", [RunOptions, SegmentOptions])
def test_whatever_an_option_refers_to_exists(declared):
    names = {name for each in options_of(declared) for name in each.names}
    for each in options_of(declared):
        assert {name for name in (each.contradicts.partition(" ")[0], each.replaces) if name} <= names


def test_one_image_has_the_shared_options_of_a_run_in_the_same_words():
    shared = {each.names: each.text for each in options_of(ImageOptions)}
    for declared in (RunOptions, SegmentOptions):
        assert shared.items() <= {each.names: each.text for each in options_of(declared)}.items()


@pytest.mark.parametrize("words", [["--volume", "x"], ["--n-cpus", "0"], ["--threshold", "soft", "--no-probseg"]])
def test_one_image_refuses_what_a_run_refuses(words):
    parser = OptionParser(SegmentOptions, "segment", usage="", description="")
    with pytest.raises(UsageError):
        build(SegmentOptions, vars(parser.parse_args(arrange(["a.nii", *words], SegmentOptions))))
