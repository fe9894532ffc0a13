"""The rows of a configuration: each has a name, a heading, a help and a rule."""

from bitfold.training import Config, flag, settings_of
from bitfold.training.config.setting_group import closest


def test_every_field_has_a_help_and_a_group() -> None:
    """The command line and the docs show each setting with a sentence."""
    for name, _, setting in settings_of(Config):
        assert setting.help, name
        assert setting.group, name
        assert flag(name).startswith("--")


def test_a_near_name_is_suggested() -> None:
    """A slip of the keyboard finds its word, another word finds nothing."""
    assert closest("batchsize", ["batch_size", "seed"]) == " Did you mean 'batch_size'?"
    assert closest("zzz", ["batch_size", "seed"]) == ""
