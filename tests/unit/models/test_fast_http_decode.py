"""Content codings: the same in any pieces, bounded, and never silently short."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.models.http.fast_decode import Decoder, UndecodableError, coding_of, decode

TEXT = b"the same words again and again " * 40


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


FORMS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
}


@pytest.mark.parametrize("form", FORMS)
def test_whole_and_cut_at_any_place(form: str) -> None:
    encoding, pack = FORMS[form]
    packed = pack(TEXT)
    assert decode(packed, encoding=encoding, max_bytes=len(TEXT)) == TEXT
    for at in range(len(packed) + 1):
        decoder = Decoder(encoding, max_bytes=len(TEXT))
        assert decoder.feed(packed[:at]) + decoder.feed(packed[at:]) == TEXT
        decoder.finish()


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=300), st.integers(0, 2**32))
def test_any_data_in_any_pieces(form: str, data: bytes, seed: int) -> None:
    encoding, pack = FORMS[form]
    packed, chance, got, at = pack(data), random.Random(seed), b"", 0
    decoder = Decoder(encoding, max_bytes=300)
    while at < len(packed):
        step = chance.randint(1, 9)
        got += decoder.feed(packed[at : at + step])
        at += step
    decoder.finish()
    assert got == data


@pytest.mark.parametrize("form", FORMS)
def test_every_cut_is_noticed(form: str) -> None:
    encoding, pack = FORMS[form]
    packed = pack(TEXT)
    for at in range(1, len(packed)):
        with pytest.raises(UndecodableError):
            decode(packed[:at], encoding=encoding, max_bytes=len(TEXT))


@pytest.mark.parametrize("form", FORMS)
def test_one_byte_too_many_is_refused(form: str) -> None:
    encoding, pack = FORMS[form]
    with pytest.raises(UndecodableError, match="more than"):
        decode(pack(TEXT), encoding=encoding, max_bytes=len(TEXT) - 1)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    decoder = Decoder("gzip", max_bytes=1000)
    tracemalloc.start()
    with pytest.raises(UndecodableError):
        decoder.feed(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=200))
def test_any_bytes_are_decoded_or_an_error_of_ours(encoding: str, data: bytes) -> None:
    with suppress(UndecodableError):
        decode(data, encoding=encoding, max_bytes=1000)


def test_several_members_and_padding() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 9
    for at in range(len(packed)):
        decoder = Decoder("gzip", max_bytes=7)
        assert decoder.feed(packed[:at]) + decoder.feed(packed[at:]) == b"one two"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_codings_are_refused(encoding: str) -> None:
    with pytest.raises(UndecodableError, match="not asked for"):
        Decoder(encoding, max_bytes=10)


def test_what_a_header_names() -> None:
    assert coding_of(" GZip ") == "gzip"
    assert coding_of("identity") is None
    assert coding_of("") is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_no_body_at_all_is_whole(encoding: str) -> None:
    assert decode(b"", encoding=encoding, max_bytes=10) == b""
    Decoder(encoding, max_bytes=10).finish()
