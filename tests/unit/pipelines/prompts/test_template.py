import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.prompts.template import Prompt, Template, shown


def test_columns_stand_where_they_are_named():
    text = Template("About {{ topic }}: {{ question }}\n").render({"topic": "x", "question": "y?"})
    assert text == "About x: y?"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a <b> & {c}", "a <b> & {c}"),
        (None, ""),
        (True, "true"),
        (1.5, "1.5"),
        (12, "12"),
        (["a", 1], '["a",1]'),
        ({"k": None}, '{"k":null}'),
    ],
)
def test_values_are_shown_as_text_or_json(value, text):
    assert Template("{{ x }}").render({"x": value}) == text
    assert Template("{% if true %}{{ x }}{% endif %}").render({"x": value}) == text


def test_what_stands_in_a_row_is_never_a_template():
    hostile = "{{ 7 * 7 }}{% for a in b %}{{ self }}{# x #}"
    assert Template("{{ x }}").render({"x": hostile}) == hostile
    assert Template("{{ x | upper }}").render({"x": hostile}) == hostile.upper()


def test_columns_with_any_name_are_reached_through_row():
    assert Template('{{ row["Customer Name"] }}').render({"Customer Name": "Ann"}) == "Ann"
    assert Template("{{ row }}").render({"row": "mine"}) == "mine"
    assert Template("{{ range }}").render({"range": "mine"}) == "mine"


def test_a_missing_column_is_named_with_the_nearest_one():
    for source in ("{{ questoin }}", "{{ questoin | upper }}", "{% if questoin %}{% endif %}"):
        with pytest.raises(InputError, match=r"ask\.txt uses the column 'questoin'") as caught:
            Template(source, name="ask.txt").render({"question": "x", "id": 1})
        assert caught.value.hint == "did you mean question? the columns are: question, id"


def test_a_column_that_may_be_missing_has_its_default():
    assert Template('{{ x | default("none") }}').render({}) == "none"
    assert Template("{% if x is defined %}{{ x }}{% else %}no{% endif %}").render({}) == "no"


@pytest.mark.parametrize(
    "source",
    ["{{ x", "{% for %}", "{% endif %}", "{{ x | nofilter }}", "a\n{{ }}", "{% include 'a' %}"],
)
def test_a_template_that_cannot_be_compiled_is_refused_at_once(source):
    with pytest.raises(ConfigError) as caught:
        Template(source, name="ask.txt")
    assert "ask.txt" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ row.__class__.__base__.__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ x.append(1) }}",
        "{{ row.update({'a': 1}) }}",
        "{{ cycler }}",
        "{{ lipsum }}",
        "{{ self._TemplateReference__context }}",
        "{{ range(99999999) }}",
        "{{ 1 // 0 }}",
        "{{ x.nothing }}",
        "{{ x() }}",
    ],
)
def test_a_template_does_not_get_out_of_its_sandbox(source):
    row = {"x": [1]}
    with pytest.raises(InputError) as caught:
        Template(source).render(row)
    assert caught.value.hint
    assert row == {"x": [1]}


def test_a_text_too_long_is_refused():
    with pytest.raises(InputError, match="characters"):
        Template("{% for n in range(5000) %}{{ x }}{% endfor %}").render({"x": "a" * 1000})


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers(0, 9))
)


@settings(deadline=None)
@given(
    st.lists(st.text("ab \n<&", max_size=5) | st.sampled_from(["{{ a }}", "{{b}}", "{{- a -}}"])),
    VALUES,
    VALUES,
)
def test_the_short_way_gives_what_the_compiled_template_gives(pieces, a, b):
    source = "".join(pieces)
    row = {"a": a, "b": b}
    template = Template(source)
    assert template._parts is not None
    assert template.render(row) == template._computed(row)


@settings(deadline=None)
@given(st.text("{}%#ax. |'\"()[]-+*/~,:=\n", max_size=30))
def test_any_text_is_a_template_or_refused(source):
    try:
        text = Template(source).render({"a": "1", "x": [1]})
    except ConfigError:  # and InputError, which is one
        return
    assert isinstance(text, str)


def test_a_prompt_has_messages_and_a_version():
    prompt = Prompt("Say {{ x }}", system="You are {{ who }}.")
    system, user = prompt.messages({"x": "hi", "who": "kind"})
    assert (system.role, system.content) == ("system", "You are kind.")
    assert (user.role, user.content) == ("user", "Say hi")
    assert prompt.version == Prompt("Say {{ x }}", system="You are {{ who }}.").version
    assert prompt.version != Prompt("Say {{ x }}").version
    assert Prompt("Say {{ x }}").name == Prompt("Say {{ x }}").name
    with pytest.raises(ConfigError, match="empty"):
        Prompt(" \n")


def test_a_prompt_s_file_is_read_as_utf_8(tmp_path):
    path = tmp_path / "ask.txt"
    path.write_bytes(b"\xef\xbb\xbfSay {{ x }}\n")
    prompt = Prompt.of_file(path)
    assert prompt.name == "ask.txt"
    assert prompt.messages({"x": "é"})[0].content == "Say é"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match="byte 3"):
        Prompt.of_file(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Prompt.of_file(tmp_path / "none.txt")


def test_shown_json_is_json():
    assert json.loads(str(shown({"a": [1, None, "ü"]}))) == {"a": [1, None, "ü"]}
