"""Settings: precedence, and errors that name their place."""

import pytest

from fanwise.cli import config
from fanwise.cli.config import duration_s, environment, parse_opt, read_settings
from fanwise.errors import ConfigError


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty project directory as working directory, and an empty user directory."""
    project, user = tmp_path / "project", tmp_path / "user"
    project.mkdir()
    user.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(config, "user_file", lambda: user / "fanwise.toml")
    for name in list(config.os.environ):
        if name.startswith("FANWISE_") or name.endswith(("_API_KEY", "_API_KEY_FILE")):
            monkeypatch.delenv(name)
    return project, user


STEPS = ["default", "user file", "fanwise.toml", ".env", "environment", "flag"]


@pytest.mark.parametrize("highest", range(len(STEPS)), ids=STEPS)
def test_each_place_overrides_those_below_it(highest, places, monkeypatch):
    project, user = places
    values = ["adaptive", 21, 22, 23, 24, 25]
    if highest >= 1:
        (user / "fanwise.toml").write_text("max_concurrency = 21\n")
    if highest >= 2:
        (project / "fanwise.toml").write_text("max_concurrency = 22\n")
    if highest >= 3:
        (project / ".env").write_text("FANWISE_MAX_CONCURRENCY=23\n")
    if highest >= 4:
        monkeypatch.setenv("FANWISE_MAX_CONCURRENCY", "24")
    flags = {"max_concurrency": "25" if highest >= 5 else None}
    assert read_settings(flags).max_concurrency == values[highest]


def test_sampling_parameters_are_laid_over_each_other_one_by_one(places, monkeypatch):
    project, _ = places
    (project / "fanwise.toml").write_text("[opt]\ntemperature = 1\ntop_p = 0.5\n")
    monkeypatch.setenv("FANWISE_OPT", '{"temperature": 0.3}')
    settings = read_settings({"opt": {"max_tokens": 9}})
    assert settings.opt == {"temperature": 0.3, "top_p": 0.5, "max_tokens": 9}


def test_models_from_the_environment_have_commas_between_them(monkeypatch):
    monkeypatch.setenv("FANWISE_MODEL", "openai/a, openai/b")
    assert read_settings({}).model == ["openai/a", "openai/b"]


def test_an_unknown_key_is_named_with_its_file_and_the_nearest_one(places):
    (places[0] / "fanwise.toml").write_text("max-concurency = 5\n")
    with pytest.raises(ConfigError) as caught:
        read_settings({})
    assert "fanwise.toml" in caught.value.message
    assert "'max-concurency'" in caught.value.message
    assert "'max_concurrency'" in caught.value.hint


def test_a_key_in_a_file_is_unknown(places):
    (places[0] / "fanwise.toml").write_text('api_key = "secret"\n')
    with pytest.raises(ConfigError) as caught:
        read_settings({})
    assert "secret" not in str(caught.value)


def test_a_broken_file_is_named_with_its_line(places):
    (places[0] / "fanwise.toml").write_text("rpm = \n")
    with pytest.raises(ConfigError, match=r"fanwise.toml.*line 1"):
        read_settings({})


@pytest.mark.parametrize(
    ("place", "name"),
    [("flag", "--rpm"), ("environment", "FANWISE_RPM"), (".env", ".env: FANWISE_RPM")],
)
def test_an_impossible_value_is_named_with_its_place(place, name, places, monkeypatch):
    flags = {"rpm": -1.0} if place == "flag" else {}
    if place == "environment":
        monkeypatch.setenv("FANWISE_RPM", "-1")
    if place == ".env":
        (places[0] / ".env").write_text("FANWISE_RPM=-1\n")
    with pytest.raises(ConfigError) as caught:
        read_settings(flags)
    assert name in caught.value.message
    assert "greater than 0" in caught.value.message


@pytest.mark.parametrize(
    ("text", "found"),
    [("50", 50), ("1-20-500", (1, 20, 500)), ("adaptive", "adaptive"), ("9-9-9", (9, 9, 9))],
)
def test_a_concurrency_is_a_number_a_range_or_adaptive(text, found, monkeypatch):
    assert read_settings({"max_concurrency": text}).max_concurrency == found
    monkeypatch.setenv("FANWISE_MAX_CONCURRENCY", text)
    assert read_settings({}).max_concurrency == found


@pytest.mark.parametrize("written", ['"2-4-8"', "[2, 4, 8]"])
def test_a_file_gives_a_range_as_text_or_as_a_list(written, places):
    (places[0] / "fanwise.toml").write_text(f"max_concurrency = {written}\n")
    assert read_settings({}).max_concurrency == (2, 4, 8)


@pytest.mark.parametrize("text", ["5-4-9", "0-2-4", "5-20", "many", "1.5", "-3", "1-2-200000"])
def test_an_impossible_concurrency_names_where_it_was_given_and_what_is_possible(text, monkeypatch):
    monkeypatch.setenv("FANWISE_MAX_CONCURRENCY", text)
    with pytest.raises(ConfigError, match=r"FANWISE_MAX_CONCURRENCY is .*: it has to be "):
        read_settings({})


@pytest.mark.parametrize("rate", ["inf", "nan", "0"])
def test_rates_are_finite_and_above_zero(rate):
    with pytest.raises(ConfigError):
        read_settings({"rpm": float(rate)})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("500ms", 0.5), (" 3 M ", 180)],
)
def test_times(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "5 weeks", "inf", "1e3"])
def test_what_is_no_time(text):
    with pytest.raises(ConfigError, match="has to be a time"):
        read_settings({"timeout": text})


def test_options_are_json_where_they_can_be():
    parsed = parse_opt(["temperature=0.2", 'stop=["a"]', "user=me=you", "flag=true"])
    assert parsed == {"temperature": 0.2, "stop": ["a"], "user": "me=you", "flag": True}
    assert parse_opt(None) is None


@pytest.mark.parametrize("pair", ["temperature", "=3", ""])
def test_an_option_without_a_name_or_value(pair):
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        parse_opt([pair])


def test_dotenv_gives_keys_and_addresses_and_nothing_else(places, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from the shell")
    (places[0] / ".env").write_text(
        "OPENAI_API_KEY=from the file\nGROQ_API_KEY=g\nOPENAI_BASE_URL=http://x/v1\n"
        "LD_PRELOAD=/tmp/evil.so\nMY_KEY=m\n"
    )
    found = environment(wanted={"MY_KEY"})
    assert found["OPENAI_API_KEY"] == "from the shell"
    assert (found["GROQ_API_KEY"], found["OPENAI_BASE_URL"]) == ("g", "http://x/v1")
    assert found["MY_KEY"] == "m"
    assert "LD_PRELOAD" not in found


def test_a_key_can_lie_in_a_file(places, monkeypatch):
    (places[0] / "key").write_text("sk-from-file\n")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(places[0] / "key"))
    assert environment()["OPENAI_API_KEY"] == "sk-from-file"


def test_a_missing_key_file_matters_only_where_it_is_needed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "/nowhere/key")
    assert "OPENAI_API_KEY" not in environment()
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY_FILE.*/nowhere/key"):
        environment(wanted={"OPENAI_API_KEY"})
