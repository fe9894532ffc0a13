"""The rows of a configuration: each has a name, a heading, a help and a rule."""

from bitfold.training import Config, flag, settings_of
from bitfold.training.config.nearest_name import SYNONYMS, hint, nearest_name


def test_every_field_has_a_help_and_a_group() -> None:
    """Every field has a help sentence and a group, for the command line and the docs."""
    for name, _, setting in settings_of(Config):
        assert setting.help, name
        assert setting.group, name
        assert flag(name).startswith("--")


def test_a_near_name_is_suggested() -> None:
    """A near misspelling gets a suggestion, and another word gets none."""
    assert hint("batchsize", ["batch_size", "seed"]) == " Did you mean 'batch_size'?"
    assert hint("zzz", ["batch_size", "seed"]) == ""


def test_synonyms_are_settings() -> None:
    """Another program's word suggests the setting, spelled as a setting or as an option."""
    names = [name for name, _, _ in settings_of(Config)]
    assert set(SYNONYMS.values()) <= set(names)
    assert not set(SYNONYMS) & set(names)
    assert nearest_name("lr", names) == "learning_rate"
    assert nearest_name("--lr", ["-l", "--learning-rate", "--lr-schedule"]) == "--learning-rate"
