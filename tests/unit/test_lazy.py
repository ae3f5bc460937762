"""Names of a package are found where they live, and nothing else is."""

import pytest

from fanwise.lazy import lazily


def test_making_it_loads_nothing():
    find = lazily("fanwise", {"Nothing": "no_such_module"})
    with pytest.raises(ModuleNotFoundError):
        find("Nothing")


def test_an_unknown_name_is_told_with_the_package():
    with pytest.raises(AttributeError, match=r"module 'fanwise.documents' has no attribute 'Rwo'"):
        lazily("fanwise.documents", {"Row": "row"})("Rwo")


def test_a_known_name_is_the_one_of_its_module():
    from fanwise.documents.row import Row

    assert lazily("fanwise.documents", {"Row": "row"})("Row") is Row
