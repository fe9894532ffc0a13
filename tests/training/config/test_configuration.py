"""The configuration: its defaults, bounds and TOML."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import ConfigError, ShapeError
from bitfold.kolmogorov import KINDS, PREDICTORS, TARGETS
from bitfold.networks import ACTIVATIONS, FINAL_ACTIVATIONS
from bitfold.training import Config, Setting, config_from_mapping, read_config, settings_of
from bitfold.training.config.config_file import config_toml
from bitfold.training.config.continuation import default_lambda_line

#: A value other than the default for every field.
OTHERS: dict[str, Any] = {
    "target": 'a "picture".png',
    "size": 64,
    "task": "classification",
    "points": "all",
    "validation_points": 7,
    "shape": "[64,32]*2+[16]",
    "activation": "sine",
    "final_activation": "sigmoid",
    "encoding": "triangle:3",
    "minutes": 2.5,
    "optimizer": "muon",
    "lr_schedule": "cosine",
    "device": "cuda:1",
    "no_watchdog": ("loop", "finite"),
    "muon_adjust_lr_fn": "match_rms_adamw",
    "kolmogorov_quantise": "learned",
    "kolmogorov_range": "auto",
    "kolmogorov_lr": 0.02,
    "kolmogorov_shape": "[4]",
    "kolmogorov_weight": "bits:2000",
    "kolmogorov_noise_std": 0.05,
    "kolmogorov_loss_type": "mse",
    "output_dir": "where it lies",
    "checkpoint_dir": "/elsewhere",
    "log_file": "log",
    "save_interval": "7",
    "snapshot_dir": "pictures\\é",
    "snapshot_format": "jpg",
    "grad_clip_norm": 1e-3,
    "frame_size": 128,
    "measure_folds": 3,
    "slice_times": "-0.4,0.4",
}


def other(name: str, default: Any, setting: Setting) -> Any:
    """Return a value other than the default."""
    if name in OTHERS:
        return OTHERS[name]
    if setting.kind == "bool":
        return not default
    if setting.kind == "str":
        return next(word for word in setting.choices if word != default)
    return min(default + 1, setting.maximum) if setting.kind == "int" else default * 0.75 + 0.01


def others() -> dict[str, Any]:
    """Return a configuration in which no field has its default."""
    return {name: other(name, default, one) for name, default, one in settings_of(Config)}


def test_the_defaults_are_a_configuration() -> None:
    """Every default passes its own bounds, in its own type."""
    config = Config()
    for name, default, setting in settings_of(Config):
        assert setting.check(name, default) == getattr(config, name) == default, name


def test_every_field_survives_toml(tmp_path: Path) -> None:
    """Every field is read from TOML as it was written, at its default and at another value."""
    values = others()
    config = Config(**values)
    for name, default, _ in settings_of(Config):
        assert getattr(config, name) != default, name
    for one in (Config(), config):
        path = tmp_path / "config.toml"
        path.write_text(config_toml(one), encoding="utf-8")
        assert read_config(path) == one


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.floats(1e-300, 1e6),
    st.integers(0, 2**63 - 1),
    st.floats(-1e30, 1e30).filter(lambda low: low < 1e30),
)
def test_any_value_survives_toml(text: str, rate: float, seed: int, low: float) -> None:
    """Unusual texts and the last bit of a number survive TOML."""
    import tomllib

    config = Config(
        target=text,
        learning_rate=rate,
        seed=seed,
        kolmogorov_weight_min=low,
        kolmogorov_weight_max=1e30,
    )
    assert config_from_mapping(tomllib.loads(config_toml(config)), place="here") == config


def test_dashes_and_underscores_are_the_same() -> None:
    """A TOML file may write names as the command line does."""
    values = {"batch-size": 8, "no_watchdog": ["loop"], "kolmogorov-weight": 1}
    config = config_from_mapping(values, place="here")
    assert (config.batch_size, config.no_watchdog) == (8, ("loop",))
    assert config.kolmogorov_weight == 1.0


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    """The name, the place and the nearest known name are given."""
    with pytest.raises(ConfigError, match=r"'epoch' in here.*Did you mean 'epochs'"):
        config_from_mapping({"epoch": 3}, place="here")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 7), ("size", 8193), ("points", 0), ("points", "some"), ("validation_points", 0),
        ("epochs", 0), ("batch_size", 0), ("seed", -1), ("seed", 2**63), ("learning_rate", 0),
        ("grad_clip_norm", 0), ("adam_beta1", 1), ("momentum", 1.5), ("weight_decay", -1),
        ("kolmogorov_weight", -0.1), ("kolmogorov_bins", 1), ("kolmogorov_temperature", 0),
        ("kolmogorov_lr", 0), ("kolmogorov_predictor_bits", 1), ("kolmogorov_predictor_bits", 20),
        ("kolmogorov_weight_min", 3), ("kolmogorov_weight_max", -3), ("png_compression", 10),
        ("jpeg_quality", 0), ("optimizer", "adamm"), ("kolmogorov_loss_type", "l1"),
        ("activation", "swish"), ("task", "regress"), ("save_interval", "geometric:0"),
        ("checkpoint_interval", 0), ("shape", "[10"), ("shape", "[10]*1000000000"),
        ("kolmogorov_shape", "[0]"), ("no_watchdog", ["cat"]), ("threads", -1),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_in_one_line(name: str, value: Any) -> None:
    """A value out of bounds is refused in one line, so that every configuration is usable."""
    with pytest.raises(ConfigError) as caught:
        Config(**{name: value})
    assert "\n" not in str(caught.value)
    wanted = "shape" if isinstance(caught.value, ShapeError) else f"`{name}`"
    assert wanted in str(caught.value) or "`kolmogorov_weight_min`" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"epochs = ", b"\xff\xfe", b"epochs = 1\nepochs = 2", b"epochs = " + b"9" * 5000, None],
)
def test_a_file_that_is_no_toml_gets_one_line(tmp_path: Path, content: bytes | None) -> None:
    """An error for a missing file, or for a file that is no TOML, names it in one line."""
    path = tmp_path / "given.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"given\.toml") as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, False),
        ({"kolmogorov_weight": 0.1}, True),
        ({"kolmogorov_weight": 0.1, "kolmogorov_shape": " None "}, False),
        ({"kolmogorov_weight": 0.1, "kolmogorov_shape": ""}, False),
    ],
)
def test_k_is_there_with_a_weight_and_a_predictor(changes: dict[str, Any], wanted: bool) -> None:
    """K is used only with a lambda above 0 and a predictor."""
    assert Config(**changes).has_kolmogorov is wanted


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        ({}, 0.0),
        ({"kolmogorov_quantise": "learned"}, 0.003),
        ({"kolmogorov_predictor": "row_column"}, 0.003),
        ({"kolmogorov_range": "auto"}, 0.003),
        ({"kolmogorov_targets": "linear"}, 0.003),
        ({"kolmogorov_predictor": "row_column", "kolmogorov_weight": 0}, 0.0),
        ({"kolmogorov_quantise": "learned", "kolmogorov_weight": "mdl"}, "mdl"),
        ({"kolmogorov_shape": "[3]", "kolmogorov_bins": 16, "kolmogorov_lr": 0.1}, 0.0),
    ],
)
def test_a_kind_of_k_brings_a_lambda(given: dict[str, Any], weight: float | str) -> None:
    """Choosing a kind of K sets a lambda unless one is given; K's details alone do not."""
    config = Config(**given)
    assert config.kolmogorov.weight == weight
    settled = config.settled()
    assert settled.kolmogorov_weight == (weight if weight else config.kolmogorov_weight)
    is_told = default_lambda_line(config, settled) is not None
    assert is_told == (weight == 0.003)


def test_flat_names_and_groups_agree() -> None:
    """Flat names and groups hold the same values, also an open setting's usual value."""
    usual = {"weight", "predictor", "range", "targets", "lr"}
    for config in (Config(), Config(**others())):
        for name, value in dataclasses.asdict(config.kolmogorov).items():
            flat = getattr(config, f"kolmogorov_{name}")
            assert value == flat or (flat is None and name in usual), name
        for name, value in dataclasses.asdict(config.drawing).items():
            assert value == getattr(config, name), name
    assert set(dataclasses.asdict(Config().drawing)) == {
        name for name, _, one in settings_of(Config) if one.group == "frames"
    }
    assert {f"kolmogorov_{name}" for name in dataclasses.asdict(Config().kolmogorov)} == {
        name for name, _, one in settings_of(Config) if one.group == "kolmogorov"
    }


def test_a_copy_has_groups_of_its_own() -> None:
    """Changing a flat name changes the copy's group, and not the original's."""
    before = Config(kolmogorov_weight=0.1, frame_size=512)
    for now in (
        before.replace(kolmogorov_weight=0.2, frame_size=64),
        dataclasses.replace(before, kolmogorov_weight=0.2, frame_size=64),
    ):
        assert (now.kolmogorov.weight, now.drawing.frame_size) == (0.2, 64)
    assert (before.kolmogorov.weight, before.drawing.frame_size) == (0.1, 512)
    assert Config(**dataclasses.asdict(before)) == before
    assert copy.deepcopy(before) == before


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ("coordinate", "fixed", "soft", 1e-3, "constant")),
        ({"kolmogorov_quantise": "learned"}, ("row_column", "auto", "rounded", 1e-2, "cosine")),
        ({"kolmogorov_lr": 0.5, "lr_schedule": "cosine"},
         ("coordinate", "fixed", "soft", 0.5, "cosine")),
    ],
)  # fmt: skip
def test_open_settings_of_k_have_their_usual_values(
    given: dict[str, Any], wanted: tuple[Any, ...]
) -> None:
    """Open settings take their quantisation's usual values; `settled` writes them, if K is on."""
    config = Config(kolmogorov_weight=0.1, **given)
    used = config.kolmogorov
    found = (used.predictor, used.range, used.targets, used.lr, config.used_lr_schedule)
    assert found == wanted
    names = ("predictor", "range", "targets", "lr")
    settled = config.settled()
    assert tuple(getattr(settled, f"kolmogorov_{name}") for name in names) == wanted[:4]
    assert settled.lr_schedule == wanted[4]
    assert Config().settled() == Config()


def test_the_saved_form_is_as_it_was() -> None:
    """Names, order and text of config.toml are those of the committed files."""
    folder = Path(__file__).parents[2] / "golden" / "configurations"
    assert config_toml(Config()) == (folder / "defaults.toml").read_text()
    assert config_toml(Config(**others())) == (folder / "others.toml").read_text()
    assert read_config(folder / "others.toml") == Config(**others())


def test_it_is_frozen_and_copies_are_checked() -> None:
    """A configuration cannot be changed in place, and a changed copy is checked like a new one."""
    config = Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.epochs = 3  # type: ignore[misc] # that is the test
    with pytest.raises(ConfigError):
        config.replace(epochs=0)
    assert config.replace(epochs=3).epochs == 3


def test_words_that_need_pytorch_are_those_of_their_packages() -> None:
    """The configuration's copies of option names, which need no PyTorch, equal the packages'."""
    choices = {name: one.choices for name, _, one in settings_of(Config)}
    assert choices["activation"] == tuple(ACTIVATIONS)
    assert choices["final_activation"] == tuple(FINAL_ACTIVATIONS)
    assert choices["kolmogorov_predictor"] == tuple(PREDICTORS)
    assert choices["kolmogorov_loss_type"] == tuple(KINDS)
    assert {*choices["kolmogorov_targets"], "hard"} == set(TARGETS)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"epochs": 0}, ["`epochs`"]),
        ({"kolmogorov_weight_min": 4}, ["`kolmogorov_weight_min`", "`kolmogorov_weight_max`"]),
        ({"kolmogorov_predictor_bits": 20}, ["`kolmogorov_predictor_bits`"]),
        ({"kolmogorov_targets": "rounded"},
         ["`kolmogorov_targets='rounded'`", "`kolmogorov_quantise='learned'`"]),
        ({"kolmogorov_weight": "mdl", "kolmogorov_loss_type": "mse"},
         ["`kolmogorov_weight='mdl'`", "`kolmogorov_loss_type`"]),
        ({"kolmogorov_quantise": "learned", "kolmogorov_weight": 0},
         ["`kolmogorov_quantise='learned'`", "`kolmogorov_weight`"]),
        ({"kolmogorov_quantise": "learned", "kolmogorov_weight": 1, "kolmogorov_shape": ""},
         ["`kolmogorov_weight`", "`kolmogorov_shape='none'`"]),
        ({"save_interval": "often"}, ["`save_interval`"]),
        ({"slice_times": "noon"}, ["`slice_times`", "`slice_times='-0.4,0,0.4'`"]),
    ],
)  # fmt: skip
def test_errors_name_pythons_arguments(wrong: dict[str, Any], names: list[str]) -> None:
    """Errors name settings in backticks by Python's name, and never by an option."""
    with pytest.raises(ConfigError) as caught:
        Config(**wrong)
    assert all(name in str(caught.value) for name in names)
    assert "--" not in str(caught.value)


def test_paths_are_taken_where_a_setting_is_a_path() -> None:
    """A setting of a path takes a `Path` and holds text; a setting of words does not."""
    given: dict[str, Any] = {"target": Path("a/b.png"), "output_dir": Path("runs/c")}
    config = Config(**given)
    assert (config.target, config.output_dir) == (str(Path("a/b.png")), str(Path("runs/c")))
    assert config_from_mapping({"target": str(Path("a/b.png"))}, place="a test") == Config(
        target=config.target
    )
    wrong: dict[str, Any] = {"task": Path("regression")}
    with pytest.raises(ConfigError, match="expected a text"):
        Config(**wrong)
