"""Keys: found where they may be, and shown nowhere."""

import pytest

from fanwise.errors import ConfigError
from fanwise.models.credentials import Credential, credentials_in


def names(env, variable="OPENAI_API_KEY"):
    return [credential.name for credential in credentials_in(env, variable)]


def test_numbered_keys_follow_the_plain_one_in_the_order_of_their_numbers():
    env = {
        "OPENAI_API_KEY_10": "j",
        "OPENAI_API_KEY_2": "b",
        "OPENAI_API_KEY": " a ",
        "OPENAI_API_KEY_X": "no",
        "OPENAI_API_KEY_3": "  ",
        "MY_OPENAI_API_KEY_4": "no",
    }
    assert names(env) == ["OPENAI_API_KEY", "OPENAI_API_KEY_2", "OPENAI_API_KEY_10"]
    assert [found.key for found in credentials_in(env, "OPENAI_API_KEY")] == ["a", "b", "j"]


def test_a_key_in_several_places_counts_once():
    assert names({"K": "same", "K_1": "same", "K_2": "other"}, "K") == ["K", "K_2"]


def test_a_file_holds_one_key_a_line(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# ours\nk-one\n\n  k-two  \n", encoding="utf-8")
    env = {"K": "k-zero", "KS_FILE": str(path)}
    assert names(env, "K") == ["K", "KS_FILE, line 2", "KS_FILE, line 4"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_an_error_that_names_its_variable(tmp_path, content):
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="KS_FILE"):
        credentials_in({"KS_FILE": str(path)}, "K")


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(tmp_path):
    path = tmp_path / "keys"
    path.write_text("fine\nnot fine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="KS_FILE, line 2") as caught:
        credentials_in({"KS_FILE": str(path)}, "K")
    assert "not fine" not in str(caught.value)


def test_a_credential_shows_its_name_only():
    assert "secret" not in repr(Credential(name="K_1", key="secret"))
