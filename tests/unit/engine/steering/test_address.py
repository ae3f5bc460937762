import os

from fanwise.engine.steering.address import is_private, make_private, sockets_of


def test_a_run_has_an_address_of_its_own_in_the_users_directories(tmp_path):
    env = {"XDG_RUNTIME_DIR": "/run/user/1"}
    first, second = sockets_of(str(tmp_path), "a", env=env)
    assert str(first).startswith("/run/user/1/fanwise/")
    assert str(second).startswith(f"/tmp/fanwise-{os.geteuid()}/")
    assert first.name == second.name
    others = {next(sockets_of(str(tmp_path), "b", env=env)), next(sockets_of("/", "a", env=env))}
    assert first not in others


def test_a_journal_has_one_address_however_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    names = (".", str(tmp_path), "link", f"{tmp_path}/x/..")
    assert len({next(sockets_of(name, "a", env={})) for name in names}) == 1


def test_a_directory_too_long_for_a_socket_is_left_out():
    (only,) = sockets_of("/j", "a" * 120, env={"XDG_RUNTIME_DIR": "/" + "x" * 90})
    assert len(str(only)) <= 100


def test_a_relative_runtime_directory_is_none():
    assert len(list(sockets_of("/j", "a", env={"XDG_RUNTIME_DIR": "here"}))) == 1


def test_only_a_directory_closed_to_others_is_private(tmp_path):
    own = tmp_path / "own"
    assert make_private(own)
    assert make_private(own)
    own.chmod(0o755)
    assert not make_private(own)
    own.chmod(0o700)
    (tmp_path / "link").symlink_to(own)
    assert not is_private(tmp_path / "link")
    assert not is_private(tmp_path / "none")
    (tmp_path / "file").touch(mode=0o600)
    assert not make_private(tmp_path / "file")
